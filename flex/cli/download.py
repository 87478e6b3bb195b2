"""`flex download` and `scripts/download_data.py`: fetch the paper's splits and published libraries."""

from flex.files.download import main as main
