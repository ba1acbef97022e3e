"""A whole study from one configuration: `run(load_config(), "results")`."""

from spatial_de.study.config import StudyConfig, bundled_text, load_config
from spatial_de.study.runner import Outcome, Progress, run

__all__ = ["Outcome", "Progress", "StudyConfig", "bundled_text", "load_config", "run"]
