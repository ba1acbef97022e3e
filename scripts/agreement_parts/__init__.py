"""Parts of `scripts/agreement.py`: samples, the exact computation, comparisons, reasons, the page."""
