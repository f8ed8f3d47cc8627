"""An answer that goes on elsewhere: gpt-oss's, whose format the client has to read itself."""

import json

import pytest

from agentic import ChatRequest, EndpointInfo, Message, PartialAnswer
from agentic.lib.wire import AnswerBuilder, encode_request
from plugins_builtin.vllm.resume import resumed

harmony = pytest.importorskip("openai_harmony", reason="NO HARMONY: pip install 'agentic-vllm[gpt-oss]'")

THOUGHT, SAID, CALL = "The user wants a.py, I read it.", "It adds two numbers.", '{"path": "a.py"}'
ANSWERS = {
    "a call": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>commentary to=functions.read_file"
    f" <|constrain|>json<|message|>{CALL}<|call|>",
    "an answer": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{SAID}<|return|>",
}
PROMPT = (200006, 1, 2, 3)
REQUEST = ChatRequest((Message("user", "what does a.py do?"),), max_tokens=500, token_ids=True)
INFO = EndpointInfo("http://x/v1", "gpt-oss-120b", 8192)


def chunk(numbers: list[int], finish: str | None = None) -> bytes:
    return json.dumps({"choices": [{"index": 0, "text": "raw", "token_ids": numbers, "finish_reason": finish}]}).encode()


@pytest.mark.parametrize("name", ANSWERS)
def test_wherever_gpt_oss_broke_off_nothing_is_lost_or_doubled(name: str) -> None:
    encoding = harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
    tokens = encoding.encode(ANSWERS[name], allowed_special="all")
    parser = harmony.StreamableParser(encoding, role=harmony.Role.ASSISTANT)
    visible = []
    for number, token in enumerate(tokens, 1):
        parser.process(token)
        if parser.last_content_delta and not parser.current_recipient:
            visible.append((number, parser.current_channel, parser.last_content_delta))
    for cut in range(1, len(tokens)):
        built = AnswerBuilder()
        shown = [each for each in visible if each[0] <= cut]
        broken = PartialAnswer(PROMPT, tokens[:cut], shown[-1][0] if shown else 0, len(shown), True)
        way = resumed(REQUEST, broken, INFO, encode_request(REQUEST, INFO.model), gpt_oss=True)
        if not shown:
            assert way is None  # nothing was delivered: the answer begins anew
            continue
        assert way is not None
        assert way.body["prompt"] == [*PROMPT, *tokens[: broken.shown]]
        assert way.body["max_tokens"] == 500 - broken.shown
        for token in tokens[broken.shown :]:
            if (delta := way.decoder.feed_json(chunk([token], "stop" if token == tokens[-1] else None))) is not None:
                built.add(delta)
        way.decoder.end()
        rest = built.message()
        delivered = {channel: "".join(text for _, where, text in shown if where == channel) for channel in ("analysis", "final")}
        assert delivered["analysis"] + rest.reasoning == THOUGHT
        assert delivered["final"] + rest.content == (SAID if name == "an answer" else "")
        assert [(call.name, call.arguments) for call in rest.tool_calls] == ([("read_file", CALL)] if name == "a call" else [])
        assert built.finish_reason == ("tool_calls" if name == "a call" else "stop")
