"""Write the rows of the benchmark `units` again: python scripts/make_units.py [--out data/units] [--seed 5].

Every unit is defined exactly; those that have different sizes in different countries are named with theirs. No pair of
units is both learned from and tested on.
"""

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from pathlib import Path

INCH, POUND, GALLON = Fraction("0.0254"), Fraction("0.45359237"), Fraction("4.54609")
LENGTH = {
    "metres": Fraction(1), "kilometres": Fraction(1000), "centimetres": Fraction(1, 100), "inches": INCH,
    "hands": 4 * INCH, "feet": 12 * INCH, "yards": 36 * INCH, "fathoms": 72 * INCH, "rods": 198 * INCH,
    "chains": 792 * INCH, "furlongs": 7920 * INCH, "miles": 63360 * INCH, "nautical miles": Fraction(1852),
}  # fmt: skip
TIME = {
    "second": Fraction(1), "minute": Fraction(60), "hour": Fraction(3600), "day": Fraction(86400),
    "fortnight": Fraction(14 * 86400),
}  # fmt: skip
KINDS: Mapping[str, Mapping[str, Fraction]] = {
    "length": LENGTH,
    "mass": {
        "grams": Fraction(1, 1000), "kilograms": Fraction(1), "tonnes": Fraction(1000), "grains": POUND / 7000,
        "carats": Fraction(1, 5000), "pennyweights": POUND * 24 / 7000, "troy ounces": POUND * 480 / 7000,
        "avoirdupois ounces": POUND / 16, "pounds": POUND, "stone": 14 * POUND, "short tons": 2000 * POUND,
        "long hundredweights": 112 * POUND,
    },
    "volume": {
        "litres": Fraction(1), "millilitres": Fraction(1, 1000), "cubic metres": Fraction(1000),
        "cubic inches": 1000 * INCH**3, "US gallons": 231_000 * INCH**3, "US fluid ounces": 231_000 * INCH**3 / 128,
        "imperial gallons": GALLON, "imperial pints": GALLON / 8, "imperial fluid ounces": GALLON / 160,
        "imperial bushels": 8 * GALLON, "oil barrels": 42 * 231_000 * INCH**3,
    },
    "area": {
        "square metres": Fraction(1), "hectares": Fraction(10_000), "square inches": INCH**2,
        "square feet": (12 * INCH) ** 2, "square yards": (36 * INCH) ** 2, "square rods": (198 * INCH) ** 2,
        "roods": 10 * (396 * INCH) ** 2, "acres": 10 * (792 * INCH) ** 2, "square miles": (63360 * INCH) ** 2,
    },
    "speed": {f"{far} per {time}": LENGTH[far] / TIME[time] for far in LENGTH for time in TIME},
}  # fmt: skip
"""By kind the size of every unit in the first one."""


def rows(seed: int) -> Iterator[dict[str, str]]:
    """Twenty rows of every kind, each with another pair of units, in an order of its own."""
    chance = random.Random(seed)
    pairs = [(kind, *pair) for kind, units in KINDS.items() for pair in chance.sample([*permutations(units, 2)], 20)]
    chance.shuffle(pairs)
    for kind, given, wanted in pairs:
        amount = Fraction(chance.randint(11, 9999), 10)
        exact = amount * KINDS[kind][given] / KINDS[kind][wanted]
        asked = f"Convert {float(amount):g} {given} to {wanted}."
        yield {"question": f"{asked} Give the number of {wanted}, within 0.1 %.", "answer": str(exact)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/units"))
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args(argv)
    lines = [json.dumps(row) for row in rows(args.seed)]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", lines[:50]), ("test", lines[50:])):
        (args.out / f"{name}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
    print(f"wrote {len(lines)} rows to {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
