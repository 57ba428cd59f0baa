"""Makes a small llama model of random weights, so that a real server can run without a download of any model.

    python3 random-weight-gguf.py llama_cpp_python-VERSION.tar.gz MODEL.gguf

Needs PyPI's `gguf`, which brings numpy. The vocabulary is `ggml-vocab-llama-spm.gguf` of llama.cpp (MIT), which is in
the source of PyPI's `llama-cpp-python`. What the model says is noise; tokens, usage, streams, limits, grammars and
forced calls are real. The weights are the same on each run.
"""

import sys
import tarfile
import tempfile

import gguf
import numpy

EMBEDDING, LAYERS, FEED_FORWARD, HEADS, CONTEXT = 64, 2, 128, 4, 4096



def vocabulary_fields(source):
    with tarfile.open(source) as archive, tempfile.NamedTemporaryFile(suffix=".gguf") as vocabulary:
        name = next(name for name in archive.getnames() if name.endswith("/ggml-vocab-llama-spm.gguf"))
        vocabulary.write(archive.extractfile(name).read())
        vocabulary.flush()
        return gguf.GGUFReader(vocabulary.name).fields.items()


source, target = sys.argv[1:]
writer = gguf.GGUFWriter(target, "llama")
for key, field in vocabulary_fields(source):
    if not key.startswith("tokenizer."):
        continue
    value = field.contents()
    if field.types[0] == gguf.GGUFValueType.ARRAY:
        writer.add_array(key, value)
    else:
        writer.add_key_value(key, value, field.types[0])
    if key == "tokenizer.ggml.tokens":
        vocabulary = len(value)

writer.add_name("tiny-random")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(EMBEDDING)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(FEED_FORWARD)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(EMBEDDING // HEADS)
writer.add_vocab_size(vocabulary)
writer.add_file_type(0)

generator = numpy.random.default_rng(0)


def weights(*shape):
    return (generator.standard_normal(shape) * 0.05).astype(numpy.float32)


def ones():
    return numpy.ones(EMBEDDING, numpy.float32)


writer.add_tensor("token_embd.weight", weights(vocabulary, EMBEDDING))
writer.add_tensor("output_norm.weight", ones())
writer.add_tensor("output.weight", weights(vocabulary, EMBEDDING))
for layer in range(LAYERS):
    block = f"blk.{layer}."
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{block}{name}.weight", ones())
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"{block}{name}.weight", weights(EMBEDDING, EMBEDDING))
    writer.add_tensor(f"{block}ffn_gate.weight", weights(FEED_FORWARD, EMBEDDING))
    writer.add_tensor(f"{block}ffn_up.weight", weights(FEED_FORWARD, EMBEDDING))
    writer.add_tensor(f"{block}ffn_down.weight", weights(EMBEDDING, FEED_FORWARD))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print(f"{target}: {vocabulary} tokens")
