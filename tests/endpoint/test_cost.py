import json
import subprocess
import sys
from pathlib import Path

import pytest

from flex.endpoint.cost import Budget, Price, Prices, by_model, dollars
from flex.errors import SettingsError
from flex.types import Usage

MILLION = 1_000_000


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(
        json.dumps({"mine": {"input": 2, "cached_input": 0.5, "output": 10}, "plain": {"input": 1, "output": 3}})
    )
    return Prices.load(path)


def test_cached_tokens_are_part_of_the_prompt_and_cheaper(prices):
    usage = Usage(calls=3, prompt_tokens=MILLION, cached_tokens=400_000, completion_tokens=100_000)
    assert prices.money(usage, "mine") == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)
    assert prices.money(usage, "plain") == pytest.approx(1 + 0.1 * 3)


def test_reasoning_tokens_are_paid_once_as_completion_tokens(prices):
    usage = Usage(1, 0, 0, 0, completion_tokens=MILLION, reasoning_tokens=900_000)
    assert prices.money(usage, "mine") == pytest.approx(10)


def test_more_cached_than_prompt_tokens_cost_no_less_than_nothing(prices):
    assert prices.money(Usage(1, 0, 100, 500, 0), "mine") == pytest.approx(100 * 0.5 / MILLION)


def test_what_has_no_price_or_no_tokens_is_unknown_and_never_0(prices):
    assert prices.money(Usage(1, 0, 10, 0, 10), "apprentice") is None
    assert prices.money(Usage(calls=5), "mine") is None, "an endpoint that reports no usage"
    assert prices.money(Usage(), "apprentice") == 0, "no call was made"


def test_one_unknown_makes_the_total_unknown(prices):
    usage = Usage(1, 0, MILLION, 0, 0)
    assert prices.total({"mine": usage, "plain": usage}) == pytest.approx(3)
    assert prices.total({"mine": usage, "apprentice": usage}) is None
    assert prices.total({}) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "have to be an object"),
        ("{", "not valid JSON"),
        ('{"m": 3}', "price of 'm' in .* has to be an object"),
        ('{"m": {"input": 1}}', "object of input, output"),
        ('{"m": {"input": 1, "output": 2, "reasoning": 3}}', "object of input, output"),
        ('{"m": {"input": "1", "output": 2}}', "input has to be US dollars .* not '1'"),
        ('{"m": {"input": 1, "output": -2}}', "output has to be US dollars .* not -2"),
        ('{"m": {"input": 1, "output": NaN}}', "not nan"),
        ('{"m": {"input": true, "output": 2}}', "not True"),
    ],
)
def test_a_file_of_prices_is_checked(tmp_path, content, message):
    path = tmp_path / "prices.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        Prices.load(path)


def test_a_file_of_prices_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read the prices .*none\.json"):
        Prices.load(tmp_path / "none.json")


def test_a_budget_is_spent_when_a_limit_is_reached(prices):
    usage = {"mine": Usage(1, 0, 400_000, 0, 100_000)}
    assert Budget().spent(usage) is None
    assert Budget(max_tokens_total=500_001).spent(usage) is None
    assert Budget(max_tokens_total=500_000).spent(usage) == "500,000 tokens are spent, --max_tokens_total is 500,000"
    assert Budget(max_usd=1.81, prices=prices).spent(usage) is None
    assert Budget(max_usd=1.8, prices=prices).spent(usage) == "$1.80 are spent, --max_usd is $1.80"


def test_calls_without_tokens_do_not_stop_a_run_by_themselves(prices):
    assert Budget(max_usd=1, prices=prices).spent({"mine": Usage(calls=9), "plain": Usage()}) is None


def test_usage_by_role_becomes_usage_by_model_and_nothing_is_lost(prices):
    usage = {"actor": Usage(1, 0, 1), "critic": Usage(1, 0, 2), "another": Usage(1, 0, 4)}
    spent = by_model(usage, {"actor": "mine", "critic": "mine"})
    assert spent == {"mine": Usage(2, 0, 3), "another": Usage(1, 0, 4)}
    assert prices.total(spent) is None


def test_a_limit_of_money_needs_every_price_up_front(prices):
    Budget(max_usd=1, prices=prices).check(["mine", "plain"])
    Budget(max_tokens_total=1).check(["apprentice"])
    with pytest.raises(SettingsError, match="no price is known for model apprentice; give --prices FILE"):
        Budget(max_usd=1, prices=prices).check(["mine", "apprentice"])


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"), (0, "$0.00"), (1.234, "$1.23"), (1234.5, "$1,234.50"), (0.1, "$0.10"),
        (0.0421, "$0.042"), (0.00421, "$0.0042"), (0.00000012, "less than $0.000001"),
    ],
)  # fmt: skip
def test_money_is_shown_with_two_digits_that_say_something(amount, text):
    assert dollars(amount) == text


def test_prices_of_ones_own_go_before_list_prices():
    prices = Prices({"gpt-4o": Price(1, 1, 1)})
    assert prices.money(Usage(1, 0, MILLION, 0, 0), "gpt-4o") == 1


def test_without_the_package_only_own_prices_are_known():
    code = (
        "import sys; sys.modules['genai_prices'] = None\n"
        "from flex.endpoint.cost import Prices; from flex.types import Usage\n"
        "print(Prices().money(Usage(1, 0, 10, 0, 10), 'gpt-4o'))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "None"


LONG = Usage(1, 0, MILLION, 0, 0)
"""One call of a million tokens, which some models charge more for."""


def test_list_prices_come_from_the_snapshot():
    pytest.importorskip("genai_prices", reason="needs the extra: pip install -e '.[prices]'")
    usage = Usage(1_000, 0, MILLION, 0, 100_000, 90_000)
    prices = Prices()
    cost = prices.money(usage, "gpt-4o")
    assert cost == pytest.approx(3.5)
    assert prices.money(usage, "openai/gpt-4o") == cost
    assert prices.money(Usage(1_000, 0, MILLION, MILLION, 100_000), "gpt-4o") < cost
    assert prices.money(usage, "apprentice") is None
    assert prices.money(LONG, "gemini-2.5-pro") > prices.money(Usage(1_000, 0, MILLION, 0, 0), "gemini-2.5-pro")
    assert prices.money(Usage(1, 0, 1, 0, 1), "gpt-4o") is not None
    assert Prices(base_url="http://127.0.0.1:1/v1").money(usage, "gpt-4o") == cost
