"""Serves an exported model by llama.cpp's own server: conversion, probe, drafts, questions, then a clinic's visits.

PYTHONPATH=src python benchmarks/llamacpp.py --server LLAMA_SERVER --converter FOLDER [--model twin] [--drafts 20]
    [--visits 5] [--keep FOLDER] [--convert-only]

`--server` is the path of llama.cpp's server, `--converter` a folder that holds its convert_hf_to_gguf.py. Neither
is part of this project: tests/peers/llamacpp/README.md says how to get them. Nothing leaves this machine.
"""

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from clinic_after import check_store, open_again, wait_until_done
from clinic_load import run_house
from clinic_people import Browser, Ledger, Pace, live_nurse, walk
from first_question import ask, open_contacts, sum_up
from record import write_record

from prescreen.service.engine.calling import run_within
from prescreen.service.engine.engines import Endpoint, guard, open_engine

# A tokenizer cut to the words in use has another fingerprint than the one the converter knows; it splits alike.
CONVERT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-4o"
import convert_hf_to_gguf
convert_hf_to_gguf.main()
"""
NAME = "prescreen-peer"
TEMPLATE = "chat_template.jinja"


def convert(model: str, converter: Path, folder: Path) -> Path:
    """One GGUF file of what `model` names, with the pinned conversation format."""
    import torch

    from prescreen.model.weights import load_model, save_model

    loaded = load_model(model, torch.float32)
    save_model(*widen(loaded.model, loaded.tokenizer), folder / "model")
    target = folder / "model.gguf"
    command = [sys.executable, "-c", CONVERT, str(converter), str(folder / "model"), "--outfile", str(target)]
    subprocess.run([*command, "--outtype", "f32"], check=True, stdout=subprocess.DEVNULL)
    (folder / TEMPLATE).write_text(write_template(), encoding="utf-8")
    return target


def widen(model: Any, tokenizer: Any) -> tuple[Any, Any]:
    """A trimmed model over the vocabulary llama.cpp needs.

    It merges and looks no word up whole, so every piece formed on the way to a kept token must be there. Such a
    piece reads as the mean of its parts and is as unlikely as padding.
    """
    import torch

    from prescreen.model import tokenizer as words
    from prescreen.model.tokenizer import merge_word, spell_bytes

    ranks, old = words.read_ranks(), tokenizer.get_vocab()
    kept = {token: rank for token, rank in ranks.items() if spell_bytes(token) in old}
    formed = {piece for token in kept for piece in merge_word(token, ranks)[1]}
    wide = words.build_tokenizer({ranks[token] for token in {*kept, *formed}})
    parts = {wide.token_to_id(name): [old[name]] for name in words.SPECIALS}
    for token in {*kept, *formed}:
        pieces = [token] if token in kept else merge_word(token, kept)[0]
        parts[wide.token_to_id(spell_bytes(token))] = [old[spell_bytes(piece)] for piece in pieces]
    into, out = model.get_input_embeddings().weight.data, model.get_output_embeddings().weight.data
    model.resize_token_embeddings(len(parts), mean_resizing=False)
    rows = [parts[number] for number in range(len(parts))]
    model.get_input_embeddings().weight.data = torch.stack([into[row].mean(0) for row in rows])
    likely = [row[0] if len(row) == 1 else old[words.PAD] for row in rows]
    model.get_output_embeddings().weight.data = out[likely].clone()
    model.config.pad_token_id, model.config.eos_token_id = (
        wide.token_to_id(words.PAD),
        wide.token_to_id(words.RETURN),
    )
    return model, wide


def write_template() -> str:
    """Our own Harmony rendering as a template, so that the server asks exactly as training did."""
    from prescreen.model.harmony import render_prompt

    system = "".join(piece.text for piece in render_prompt([], open_turn=False))
    return (
        f"{{{{- {system!r} -}}}}\n"
        "{%- for message in messages -%}\n"
        '{%- if message.role in ("system", "developer") -%}\n'
        '{{- "<|start|>developer<|message|># Instructions\\n\\n" + message.content + "<|end|>" -}}\n'
        '{%- elif message.role == "assistant" -%}\n'
        '{{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" -}}\n'
        "{%- else -%}\n"
        '{{- "<|start|>" + message.role + "<|message|>" + message.content + "<|end|>" -}}\n'
        "{%- endif -%}\n"
        "{%- endfor -%}\n"
        '{%- if add_generation_prompt -%}{{- "<|start|>assistant" -}}{%- endif -%}\n'
    )


def serve(server: Path, gguf: Path, threads: int) -> "tuple[subprocess.Popen[bytes], str]":
    """llama.cpp's server on a free port of this machine, once it is ready."""
    import httpx2

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(server), "--model", str(gguf), "--alias", NAME, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--jinja", "--chat-template-file", str(gguf.with_name(TEMPLATE)), "--ctx-size", "8192"]
    process = subprocess.Popen([*command, "--threads", str(threads)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip

    def wait() -> str:
        while process.poll() is None:
            try:
                if httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200:
                    return f"http://127.0.0.1:{port}/v1"
            except httpx2.HTTPError:
                pass
            time.sleep(0.1)
        return ""

    url = run_within(wait, 120)
    if url == "":
        raise SystemExit(f"the server ended with {process.returncode}; start it by hand to see why")
    if url is None:
        process.kill()
        raise SystemExit("the server was not ready within two minutes")
    return process, url


def measure(url: str, drafts: int) -> dict[str, Any]:
    """What the probe finds, and drafts and questions through the guard."""
    opened = open_engine(Endpoint(url=url, model=NAME, demo=True), {})
    if opened.engine is None or opened.probe is None:
        raise SystemExit(opened.why)
    print("\n".join(opened.probe.findings))
    guarded, cases = guard(opened), open_contacts()
    drafted = [guarded.draft(cases[number % len(cases)]) for number in range(drafts)]
    asked = [ask(guarded, cases[number % len(cases)]) for number in range(drafts)]
    return {
        "findings": opened.probe.findings,
        "schema_use": opened.probe.schema_use,
        "drafts": sum_up([(one.seconds, one.model is not None) for one in drafted]),
        "reasons": Counter(one.error for one in drafted if one.error),
        "questions": sum_up(asked),
        "counts": guarded.tally.snapshot(),
    }


def walk_visits(url: str, visits: int, scratch: Path) -> dict[str, Any]:
    """The whole service with this server as its model: patients at the door, a nurse signs, the record has it."""
    with run_house(scratch, "--endpoint", url, "--model", NAME, "--nurses", "1", "--undo-s", "1") as running:
        ledger, store = Ledger(), open_again(running.data)
        asyncio.run(send_patients(running.base, ledger, visits))
        wait_until_done(store, 300.0)  # so that each visit has its draft before a nurse looks
        asyncio.run(open_shift(running.base, ledger, visits))
        wait_until_done(store, 60.0)
        found = check_store(store, ledger)
        store.close()
    tally = json.loads((scratch / "tally.json").read_text())
    return {"signed": len(ledger.signed), "errors": dict(ledger.errors), "tally": tally, "after": found}


async def send_patients(base: str, ledger: Ledger, visits: int) -> None:
    """Invented patients, one after the other, each to the end of the interview."""
    chance = random.Random(5)
    for _ in range(visits):
        browser = Browser(base, ledger)
        await walk(browser, ledger, Pace(0.0), chance, plain=True)
        await browser.close()


async def open_shift(base: str, ledger: Ledger, visits: int) -> None:
    """A nurse until all visits were signed once (some are undone again), or two minutes are over."""
    until = time.monotonic() + 120
    shift = asyncio.create_task(live_nurse(base, ledger, Pace(0.0, (1.0, 2.0), 2.0, until), 0, until))
    while not shift.done() and len(ledger.signed) + len(ledger.undone) < visits:
        await asyncio.sleep(0.5)
    shift.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=Path)
    parser.add_argument("--converter", type=Path, required=True)
    parser.add_argument("--model", default="twin")
    parser.add_argument("--drafts", type=int, default=20)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder to leave the GGUF in")
    parser.add_argument("--convert-only", action="store_true")
    settings = parser.parse_args()
    if settings.server is None and not settings.convert_only:
        raise SystemExit("name llama.cpp's server with --server, or convert only")
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        gguf = convert(settings.model, settings.converter, folder)
        took = round(time.monotonic() - begun, 1)
        print(f"{gguf.name}: {gguf.stat().st_size / 1e6:.1f} MB in {took} s")
        if settings.convert_only:
            return
        process, url = serve(settings.server, gguf, settings.threads)
        try:
            found = measure(url, settings.drafts)
            found["service"] = walk_visits(url, settings.visits, Path(scratch) / "clinic")
            print(found["service"])
        finally:
            process.terminate()
            process.wait()
    print(write_record("llamacpp-cpu", ("prescreen", "httpx2"), model=settings.model, convert_s=took, **found))


if __name__ == "__main__":
    main()
