"""Writes a llama with eyes that is so small that any machine runs it, for llama.cpp.

usage: tiny_llama.py FOLDER

FOLDER/model.gguf is the language model and FOLDER/mmproj.gguf its eyes, both in their real form.
The eyes have random weights. The language model is made to answer every question with ANSWER: its
layers add nothing, so that each token alone decides which one is next.
"""

import sys
from pathlib import Path

import gguf
import numpy as np

NAME = "tiny-llava"
ANSWER = ("A tiny", " model", " was", " shown", " a", " picture.")
SPACE = "\u2581"
WIDTH = 512
"""Of the language model's layers. Each token has a dimension of its own."""
EYE = 32
"""Width of the eyes' layers."""
PICTURE, PATCH = 56, 14
"""Edges of the picture that the eyes take and of its patches, in pixels."""
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def vocabulary() -> list[tuple[bytes, int]]:
    """Tokens as SentencePiece has them: three of its own, bytes, a space, the answer."""
    own = [(b"<unk>", gguf.TokenType.UNKNOWN)]
    own += [(b"<s>", gguf.TokenType.CONTROL), (b"</s>", gguf.TokenType.CONTROL)]
    own += [(b"<0x%02X>" % byte, gguf.TokenType.BYTE) for byte in range(256)]
    own += [(SPACE.encode(), gguf.TokenType.NORMAL)]
    words = (word.replace(" ", SPACE).encode() for word in ANSWER)
    return own + [(word, gguf.TokenType.NORMAL) for word in words]


def language_model(path: Path) -> None:
    """A llama of one layer."""
    tokens = vocabulary()
    end, first = 2, len(tokens) - len(ANSWER)
    model = gguf.GGUFWriter(path, "llama")
    model.add_name(NAME)
    model.add_context_length(4096)
    model.add_embedding_length(WIDTH)
    model.add_block_count(1)
    model.add_feed_forward_length(WIDTH)
    model.add_head_count(8)
    model.add_head_count_kv(8)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(WIDTH // 8)
    model.add_vocab_size(len(tokens))
    model.add_tokenizer_model("llama")
    model.add_token_list([text for text, _ in tokens])
    model.add_token_scores([0.0] * len(tokens))
    model.add_token_types([kind for _, kind in tokens])
    model.add_add_space_prefix(False)
    model.add_bos_token_id(1)
    model.add_eos_token_id(end)
    model.add_unk_token_id(0)
    model.add_chat_template(TEMPLATE)

    following = {token: token + 1 for token in range(first, len(tokens) - 1)}
    following[len(tokens) - 1] = end
    output = np.zeros((len(tokens), WIDTH), np.float32)
    for token in range(len(tokens)):
        output[following.get(token, first), token] = 1.0
    nothing = np.zeros((WIDTH, WIDTH), np.float32)
    model.add_tensor("token_embd.weight", np.eye(len(tokens), WIDTH, dtype=np.float32))
    model.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    model.add_tensor("output.weight", output)
    for norm in ("attn_norm", "ffn_norm"):
        model.add_tensor(f"blk.0.{norm}.weight", np.ones(WIDTH, np.float32))
    for layer in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        model.add_tensor(f"blk.0.{layer}.weight", nothing)
    write(model)


def eyes(path: Path) -> None:
    """A vision transformer of one layer, with LLaVA's projector."""
    chance = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.05, shape).astype(np.float32)

    model = gguf.GGUFWriter(path, "clip")
    model.add_string(gguf.Keys.General.TYPE, gguf.GGUFType.MMPROJ)
    model.add_bool("clip.has_vision_encoder", True)
    model.add_string("clip.projector_type", "mlp")
    model.add_bool("clip.use_gelu", True)
    for key, value in {
        "image_size": PICTURE,
        "patch_size": PATCH,
        "embedding_length": EYE,
        "feed_forward_length": 2 * EYE,
        "projection_dim": WIDTH,
        "block_count": 1,
        "attention.head_count": 2,
    }.items():
        model.add_uint32(f"clip.vision.{key}", value)
    model.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    model.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    model.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    model.add_tensor("v.class_embd", weights(EYE))
    model.add_tensor("v.patch_embd.weight", weights(EYE, 3, PATCH, PATCH))
    model.add_tensor("v.position_embd.weight", weights((PICTURE // PATCH) ** 2 + 1, EYE))
    for norm in ("v.pre_ln", "v.blk.0.ln1", "v.blk.0.ln2"):
        model.add_tensor(f"{norm}.weight", np.ones(EYE, np.float32))
        model.add_tensor(f"{norm}.bias", np.zeros(EYE, np.float32))
    for layer, (out, into) in {
        "v.blk.0.attn_q": (EYE, EYE),
        "v.blk.0.attn_k": (EYE, EYE),
        "v.blk.0.attn_v": (EYE, EYE),
        "v.blk.0.attn_out": (EYE, EYE),
        "v.blk.0.ffn_up": (2 * EYE, EYE),
        "v.blk.0.ffn_down": (EYE, 2 * EYE),
        "mm.0": (WIDTH, EYE),
        "mm.2": (WIDTH, WIDTH),
    }.items():
        model.add_tensor(f"{layer}.weight", weights(out, into))
        model.add_tensor(f"{layer}.bias", np.zeros(out, np.float32))
    write(model)


def write(model: gguf.GGUFWriter) -> None:
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    language_model(folder / "model.gguf")
    eyes(folder / "mmproj.gguf")
