"""Writes a LLaVA that is so small that any machine runs it, for transformers.

usage: tiny_llava.py CACHE NAME WORD...

CACHE is a folder in the form of Hugging Face's cache, in which the model is NAME, such as
tiny/llava. Its eyes have random weights. Its language model is made to answer every question with
the words: its layers add nothing, so that each token alone decides which one is next. Runs where
transformers is installed.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

OWN = ("<unk>", "<s>", "</s>", "<image>")
END = OWN.index("</s>")
WIDTH = 512
"""Of the language model's layers. Each token has a dimension of its own."""
PICTURE, PATCH = 56, 14
"""Edges of the picture that the eyes take and of its patches, in pixels."""
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: "
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %}"
    "{% endif %}\n{% endfor %}assistant:"
)


def tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    """All bytes, and the words of the answer."""
    tokens = [*OWN, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += [word.replace(" ", "\u0120") for word in words]
    whole = Tokenizer(
        models.BPE({token: at for at, token in enumerate(tokens)}, [], unk_token="<unk>")
    )
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=whole, additional_special_tokens=["<image>"], **names
    )


def model(count: int, words: int) -> LlavaForConditionalGeneration:
    """Of one layer each."""
    torch.manual_seed(1)
    text = LlamaConfig(
        vocab_size=count,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=8,
        bos_token_id=1,
        eos_token_id=END,
        pad_token_id=END,
    )
    eyes = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=PICTURE,
        patch_size=PATCH,
    )
    made = LlavaForConditionalGeneration(
        LlavaConfig(text_config=text, vision_config=eyes, image_token_index=OWN.index("<image>"))
    )
    first = count - words
    with torch.no_grad():
        for layer in made.model.language_model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        made.model.language_model.embed_tokens.weight.copy_(torch.eye(count, WIDTH))
        made.lm_head.weight.zero_()
        for token in range(count):
            following = token + 1 if first <= token < count - 1 else first
            made.lm_head.weight[END if token == count - 1 else following, token] = 1
    made.generation_config.eos_token_id = END
    made.generation_config.pad_token_id = END
    made.generation_config.do_sample = False
    return made


def place(cache: Path, name: str) -> Path:
    """The folder of a model's one revision."""
    folder = cache / f"models--{name.replace('/', '--')}"
    revision = "1" * 40
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs/main").write_text(revision)
    return folder / "snapshots" / revision


if __name__ == "__main__":
    cache, name, *words = sys.argv[1:]
    folder = place(Path(cache), name)
    tokens = tokenizer(words)
    size = {"height": PICTURE, "width": PICTURE}
    images = CLIPImageProcessorPil(size={"shortest_edge": PICTURE}, crop_size=size)
    LlavaProcessor(
        image_processor=images,
        tokenizer=tokens,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    model(len(tokens), len(words)).save_pretrained(folder)
