import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `random_instances`, which the tests of this room share
