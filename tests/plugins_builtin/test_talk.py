"""The steps that the model shows, and what it asks."""

from pathlib import Path

from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic
from tests.terminal import terminal

NATIVE = ("-c", "tools.protocol=native")
LARGE = 131_072


def todo(number: str, *states: str) -> ScriptedAnswer:
    items = [{"text": f"step {place}", "state": state} for place, state in enumerate(states, 1)]
    return answer(tool_calls=tool_call("todo", {"items": items}, 0, number))


def asking(**arguments: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("ask_user", arguments, 0, "1"))


def test_the_list_stays_once_as_it_was_in_the_end(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(todo("1", "doing", "open"), todo("2", "done", "doing"), answer("between"), answer("x"))
    with terminal(["run", "go", "--endpoint", server.url, *NATIVE], env, work) as shown:
        assert shown.until_ended() == 0
        assert shown.text.count("step 1") == 1 and "between\n\n☑ step 1\n▸ step 2" in shown.text
        assert "todo" not in shown.text


def test_the_list_is_part_of_the_region_while_it_is_worked_on(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    looked = answer(tool_calls=tool_call("run", {"command": "sleep 1"}, 0, "2"))
    server.script(todo("1", "doing"), looked, todo("3", "done"), answer("over"))
    with terminal(["run", "go", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox"], env, work) as shown:
        shown.until(lambda: "▸ step 1" in shown.text)
        assert shown.until_ended() == 0
        assert "▸ step 1" not in shown.text and "☑ step 1" in shown.text


def test_programs_get_the_list_as_fields(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(todo("1", "doing", "open"), answer("over"))
    done = agentic("run", "go", "--endpoint", server.url, *NATIVE, "--output", "jsonl")
    assert done.of_type("todo_changed")[0]["items"] == [["step 1", "doing"], ["step 2", "open"]]


def test_a_question_with_choices_is_answered_by_number_or_in_words(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    for typed, said in (("2\r", "MIT"), ("neither of them\r", "neither of them")):
        server.script(asking(question="Which licence?", choices=["GPL", "MIT"]), answer("I see"))
        with terminal(["run", "go", "--endpoint", server.url, *NATIVE], env, work) as shown:
            shown.until(lambda: "your answer" in shown.text)
            assert "? Which licence?" in shown.text and "2 MIT" in shown.text
            shown.type(typed)
            assert shown.until_ended() == 0
        assert server.chats[-1].json["messages"][-1]["content"] == f"The user says: {said}"


def test_no_answer_and_nobody_to_ask_leave_the_decision_to_the_model(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    server.script(asking(question="Which?"), answer("I take MIT"))
    with terminal(["run", "go", "--endpoint", server.url, *NATIVE], env, work) as shown:
        shown.until(lambda: "your answer" in shown.text)
        shown.type("\x1b")
        assert shown.until_ended() == 0
    assert "decide yourself" in server.chats[-1].json["messages"][-1]["content"]
    server.script(asking(question="Which?"), answer("I take MIT"))
    assert agentic("run", "go", "--endpoint", server.url, *NATIVE).code == 0
    assert "nobody can be asked here" in server.chats[-1].json["messages"][-1]["content"]


def test_they_stand_in_the_prompt_only_where_there_is_room(agentic: Agentic, server: FakeVLLM) -> None:
    told = []
    for window in (8192, LARGE):
        server.window = window
        server.say("hello")
        agentic("run", "go", "--endpoint", server.url, *NATIVE)
        told.append({tool["function"]["name"] for tool in server.chats[-1].json["tools"]})
    assert {"todo", "ask_user", "job"} & told[0] == set()
    assert {"todo", "ask_user", "job"} <= told[1]
