"""Writes the folder that vLLM serves as a hybrid model: Qwen3-Next's architecture in miniature, random weights, Qwen's vocabulary.

usage: make_model.py FOLDER TEMPLATE   (in vLLM's environment; needs `pip download qwen-agent==0.0.34` once, for the vocabulary)
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE, SHA256 = "qwen-agent==0.0.34", "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
ORDINARY = 151_643
SPECIAL = {
    "<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645, "<tool_call>": 151_657, "</tool_call>": 151_658,
    "<think>": 151_667, "</think>": 151_668,
}  # fmt: skip
SIZE = 151_936
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def vocabulary(folder: Path) -> Path:
    """The vocabulary of Qwen, in the form of tiktoken."""
    target = folder / "qwen.tiktoken"
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run(["python3", "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, PACKAGE], check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                target.write_bytes(packed.read("qwen_agent/utils/qwen.tiktoken"))
    if hashlib.sha256(target.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{target} is not Qwen's vocabulary")
    return target


def main(folder: Path, template: Path) -> None:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast, Qwen3NextConfig
    from transformers.convert_slow_tokenizer import TikTokenConverter

    folder.mkdir(parents=True, exist_ok=True)
    names = {number: name for name, number in SPECIAL.items()}
    added = [
        AddedToken(names.get(number, f"<|reserved_{number}|>"), special=not names.get(number, "<|").endswith(("call>", "think>")))
        for number in range(ORDINARY, SIZE)
    ]
    made = TikTokenConverter(str(vocabulary(folder.parent)), pattern=SPLIT).converted()
    made.add_tokens(added)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = template.read_text()
    tokenizer.save_pretrained(folder)
    for name, number in SPECIAL.items():
        assert tokenizer.convert_tokens_to_ids(name) == number, name
    config = Qwen3NextConfig(
        architectures=["Qwen3NextForCausalLM"],
        vocab_size=SIZE,
        hidden_size=128,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        linear_key_head_dim=128,
        linear_value_head_dim=128,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=64,
        shared_expert_intermediate_size=64,
        max_position_embeddings=131_072,
        dtype="bfloat16",
    )
    config.save_pretrained(folder)
    ends = [SPECIAL["<|im_end|>"], SPECIAL["<|endoftext|>"]]
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "eos_token_id": ends, "pad_token_id": ends[1]}))
    print(f"ready: {folder}")


main(*map(Path, sys.argv[1:3]))
