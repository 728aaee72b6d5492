"""A language model with random weights, small enough to be written for each test run."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

WIDTH = 32
HEADS = 2
HIDDEN = 64
BLOCKS = 1

# The vocabulary is ASCII only, so that whatever the weights choose is text. Byte-level BPE writes
# a space as U+0120 and a line feed as U+010A.
LETTERS = [chr(code) for code in range(0x21, 0x7F)] + ["\u0120", "\u010a"]
CONTROLS = ["<|unknown|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>\n", "</tool_call>"]
CALL_A_TOOL = {str(len(CONTROLS)): 100}  # a logit_bias under which every answer is a tool call
MERGES = ["t h", "th e", "i n", "o n", "a n", "e r"]

TEMPLATE = """\
{%- if tools %}<|im_start|>system
Call a function by answering <tool_call>{"name": ..., "arguments": ...}</tool_call>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def write(path: Path, *, padding: int = 0) -> Path:
    """Write the model; ``padding`` unused words in the vocabulary make it slow to load."""
    tokens = [
        *CONTROLS,
        *MARKS,
        *LETTERS,
        *(merge.replace(" ", "") for merge in MERGES),
        *(f"unused{number}" for number in range(padding)),
    ]
    kinds = [gguf.TokenType.CONTROL] * len(CONTROLS)
    kinds += [gguf.TokenType.USER_DEFINED] * len(MARKS)
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(kinds))

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(BLOCKS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(MERGES)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)

    chance = np.random.default_rng(seed=7)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, chance.normal(0.0, 0.5, shape).astype(np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    for block in range(BLOCKS):
        norm(f"blk.{block}.attn_norm.weight")
        norm(f"blk.{block}.ffn_norm.weight")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{block}.{part}.weight", WIDTH, WIDTH)
        tensor(f"blk.{block}.ffn_gate.weight", HIDDEN, WIDTH)
        tensor(f"blk.{block}.ffn_up.weight", HIDDEN, WIDTH)
        tensor(f"blk.{block}.ffn_down.weight", WIDTH, HIDDEN)
    norm("output_norm.weight")
    tensor("output.weight", len(tokens), WIDTH)

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]), padding=int(sys.argv[2]))
