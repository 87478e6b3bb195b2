import pydantic_monty as monty
import pytest

from flex.agents import executors
from flex.agents.executors import MontyExecutor, make_executor
from flex.errors import SettingsError


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
    with monkeypatch.context() as patch:
        patch.setattr(executors, "SECONDS_PER_BLOCK", 0.2)
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


@pytest.mark.parametrize("code", ["2**100000", "final_answer(2**20000)", "[2**100000]"])
def test_a_value_that_cannot_be_shown_is_an_error_of_the_block(run, code):
    with pytest.raises(RuntimeError, match="cannot be shown: ValueError"):
        run(code)
    assert run("1 + 1").output == 2


def test_a_deeply_nested_value_is_an_error_of_the_block(run):
    with pytest.raises(RuntimeError):
        run("a = []\nfor i in range(100000):\n    a = [a]\na")


def test_what_is_printed_is_cut_in_the_middle(run):
    logs = run("print('head' + 'x' * 100_000 + 'tail')").logs
    assert len(logs) < executors.MAX_OUTPUT_CHARACTERS + 200
    assert logs.startswith("head")
    assert logs.endswith("tail\n")
    assert "truncated" in logs
    with pytest.raises(RuntimeError):
        run("print('x' * 100_000)\n1 / 0")
    assert len(run.state["_print_outputs"]) < executors.MAX_OUTPUT_CHARACTERS + 200


def test_a_long_answer_is_cut(run):
    assert len(run("final_answer(['x'] * 100_000)").output) < executors.MAX_OUTPUT_CHARACTERS + 200


@pytest.mark.parametrize("call", ["final_answer(value=1)", "final_answer()", "final_answer(1, 2)"])
def test_a_wrong_call_of_final_answer_is_told_how_to_call_it(run, call):
    with pytest.raises(RuntimeError, match=r"exactly one argument, the answer: final_answer\(answer\)"):
        run(call)
    assert run("final_answer(answer=1)").output == 1


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt"])
def test_local_code_cannot_end_the_program(error):
    executor = make_executor("local", None)
    executor.send_tools({})
    with pytest.raises(RuntimeError, match=error.partition("(")[0]):
        executor(f"raise {error}")


def test_local_code_is_not_given_numpy_which_reads_any_file():
    executor = make_executor("local", None)
    executor.send_tools({})
    with pytest.raises(Exception, match="Import of numpy is not allowed"):
        executor("import numpy")


def test_values_of_local_code_are_bounded_too():
    executor = make_executor("local", None)
    executor.send_tools({})
    with pytest.raises(RuntimeError, match="cannot be shown"):
        executor("10 ** 5000")
    assert executor("'\\ud800'").output == "\ufffd"
