"""A small made-up assay for tests: three columns' worth of numbers that follow from the row."""

from pathlib import Path

SEQUENCE = "ACDEFGHIKLMNPQRSTVWY" * 2
ROWS = 130
HEADER = "mutant,mutated_sequence,DMS_score,DMS_score_bin,One,Two (x)"


def table(rows: int = ROWS) -> list[str]:
    """Rows in which "One" ranks almost as the score does, and "Two (x)" the other way round."""
    lines = []
    for row in range(rows):
        place, letter = row % len(SEQUENCE), "CMWK"[row // len(SEQUENCE)]
        letter = letter if SEQUENCE[place] != letter else "Y"
        mutated = SEQUENCE[:place] + letter + SEQUENCE[place + 1 :]
        one = row + 7 * (row % 5)
        lines.append(f"{SEQUENCE[place]}{place + 1}{letter},{mutated},{float(row)},{row % 2},{one},{-row - row % 3}")
    return lines


def write(folder: Path, name: str = "MADE_YEAST_Test", lines: list[str] | None = None) -> Path:
    """A table in the folder, which is made if need be; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join([HEADER, *(table() if lines is None else lines)]) + "\n")
    return folder
