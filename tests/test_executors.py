import pydantic_monty as monty
import pytest

from flex import executors
from flex.errors import SettingsError
from flex.executors import MontyExecutor, make_executor


@pytest.fixture
def run():
    with monty.Monty(max_processes=1) as pool:
        executor = MontyExecutor(pool)
        executor.send_tools({"final_answer": print, "double": lambda x: 2 * x, "fail": lambda: 1 / 0})
        yield executor
        executor.cleanup()


def test_printed_text_and_the_last_value_come_back(run):
    result = run("print('hello')\n1 + 1")
    assert (result.logs, result.output, result.is_final_answer) == ("hello\n", 2, False)


def test_variables_last_from_block_to_block(run):
    run("x = 20")
    assert run("x + 1").output == 21


def test_tools_are_called_by_name(run):
    assert run("double(21)").output == 42


def test_final_answer_ends_the_block_even_inside_except(run):
    result = run("try:\n    final_answer({'a': 1})\nexcept Exception:\n    print('caught')\nprint('after')")
    assert (result.output, result.is_final_answer, result.logs) == ({"a": 1}, True, "")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("import numpy", "ModuleNotFoundError"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("nobody", "NameError"),
        ("fail()", "ZeroDivisionError"),
    ],
)
def test_an_error_is_shown_as_python_says_it(run, code, message):
    run("kept = 7")
    with pytest.raises(RuntimeError, match=message):
        run("print('before')\n" + code)
    if message != "SyntaxError":
        assert run.state["_print_outputs"] == "before\n"
    assert run("kept").output == 7


def test_an_endless_loop_is_stopped_and_the_next_block_runs(run, monkeypatch):
    monkeypatch.setattr(executors, "SECONDS_PER_BLOCK", 0.2)
    with pytest.raises(RuntimeError, match="TimeoutError"):
        run("while True:\n    pass")
    assert run("1 + 1").output == 2


def test_memory_is_bounded(run):
    with pytest.raises(RuntimeError, match="MemoryError"):
        run("x = [0] * 10**9")


def test_an_unknown_executor_is_named():
    with pytest.raises(SettingsError, match="unknown executor 'jail'; choose from monty, local, docker"):
        make_executor("jail", None)


def test_the_local_executor_runs_what_monty_has_not():
    executor = make_executor("local", None)
    executor.send_tools({})
    assert executor("from fractions import Fraction\nstr(Fraction(1, 3))").output == "1/3"
