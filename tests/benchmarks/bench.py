"""How fast cliplib is beside the bare operations, another library and the paper's way; all in one run.

    make bench                                        everything, fifteen minutes on two cores
    .venv/bin/python -m tests.benchmarks.bench --quick     smaller sizes, two minutes: to see that it works

Prints a table; writes build/bench/bench.json (the figures), bench.md (the table) and growth.png (time and memory by
size). On a machine with a GPU the same command measures the limit on it, and its share. Ratios hold for this machine.
"""

import argparse
import importlib.metadata
import json
import platform
import tempfile
from pathlib import Path

import pillow_heif
import torch

from tests.benchmarks import first_pass, indexing, scale, start, video_pass
from tests.benchmarks.material import OUT, draw_photo, photos, random_vit

FULL = {
    "photos": 320,
    "pictures": 12,
    "rounds": 3,
    "rows": 1_000_000,
    "files": 100_000,
    "memory": (1_000, 10_000),
    "film_s": 30,
}
QUICK = {
    "photos": 64,
    "pictures": 3,
    "rounds": 1,
    "rows": 100_000,
    "files": 10_000,
    "memory": (200, 1_000),
    "film_s": 4,
}
GROWTH = (1_000, 10_000, 100_000)
WORDS = {
    "paper_loop": "the paper's loop: one by one, fp32",
    "threaded_fp32": "decoding in threads, fp32 batches",
    "peer": "open_clip {open_clip}, DataLoader, fp32 batches",
    "cliplib": "cliplib: Library.index, {precision}",
    "limit": "limit: bare decode and bare bf16 encode in turn",
    "bare_decode": "  Pillow with draft, two threads, alone",
    "bare_encode": "  openai/CLIP under bf16 autocast, alone",
    "ceiling": "ceiling: bare decoding and bare products in turn",
    "bare_draft": "  Pillow with draft to 1.5 times the size, two threads, alone",
    "products_bf16": "  the tower's products of matrices in bf16, alone",
    "products_fp32": "  the same in fp32",
}
FIGURES = {  # what is asked of each
    "index_vs_paper_loop": ">= 5",
    "index_vs_threaded_fp32": ">= 2.7 with bf16 units",
    "index_vs_peer": ">= 2.7 with bf16 units",
    "index_share_of_limit": ">= 0.95",
    "embedding_cosine_p1": ">= 0.9995",
    "search_vs_bare": "<= 1.25",
    "search_match_vs_bare": "<= 1.3",
    "search_match_known_vs_bare": "<= 1.3",
    "text_speedup": ">= 2",
    "open_vs_bare": "<= 1.5",
    "reindex_vs_walk": "<= 3",
    "memory_growth": "<= 1.10",
    "start_vs_torch": "<= 1.6",
    "first_pass_speedup": ">= 8",
    "first_pass_mixed_speedup": "",
    "first_pass_vit_b_32_speedup": "",
    "first_pass_bytes_share": "",
    "first_pass_cosine_p1": ">= 0.98",
    "video_vs_full_pass": "<= 0.6",
    "video_cosine_p1": ">= 0.995",
    "index_share_of_ceiling": ">= 0.9 with bf16 units",
}


def measure(sizes: dict) -> dict:
    """All figures and what they were made of."""
    torch.manual_seed(0)
    pillow_heif.register_heif_opener()  # so that the other ways read iPhone photos too
    rounds = sizes["rounds"]
    with tempfile.TemporaryDirectory(prefix="cliplib-bench-") as name:
        folder = Path(name)
        model, weights = random_vit(folder)
        ways = indexing.measure(model, weights, photos(folder / "photos", sizes["photos"]), rounds)
        text = scale.text(model, weights, 10 * rounds)
        del model
        quick = first_pass.measure(folder / "first", weights, sizes["pictures"], rounds)
        film = video_pass.measure(folder, sizes["film_s"], rounds)
        search = scale.search(sizes["rows"], 3 * rounds)
        matched = scale.matched(sizes["rows"], 3 * rounds)
        scale.save_rows(folder / "rows", sizes["rows"])
        opened = scale.opening(folder / "rows", rounds)
        again = scale.reindexing(folder / "again", sizes["files"], rounds)
        small = small_photos(folder)
        peaks = {count: scale.indexing(folder / "memory", small, count) for count in sizes["memory"]}
        started = start.searching(folder / "sample", 3 * rounds)
        growth = {count: grown(folder / f"grown-{count}", count) for count in GROWTH if count <= sizes["rows"]}
    rates, (few, many) = ways["rates"], sizes["memory"]
    others = ("paper_loop", "threaded_fp32", "peer")
    figures = {f"index_vs_{way}": rates["cliplib"] / rates[way] for way in others}
    if not torch.cuda.is_available():
        figures |= {f"index_vs_{way}_ceiling": rates["ceiling"] / rates[way] for way in others}
        figures["index_share_of_ceiling"] = rates["cliplib"] / rates["ceiling"]
    figures["index_share_of_limit"] = rates["cliplib"] / rates["limit"]
    figures["index_share_of_encoder"] = rates["cliplib"] / rates["bare_encode"]
    figures["embedding_cosine_p1"] = ways["embedding_cosine_p1"]
    figures |= {"search_vs_bare": search["ratio"], "text_speedup": text["ratio"], "open_vs_bare": opened["ratio"]}
    figures |= {"search_match_vs_bare": matched["new_ratio"], "search_match_known_vs_bare": matched["known_ratio"]}
    figures |= {"reindex_vs_walk": again["ratio"], "memory_growth": peaks[many]["peak_mb"] / peaks[few]["peak_mb"]}
    figures["start_vs_torch"] = started["ratio"]
    figures |= {name: value for name, value in quick.items() if name.startswith("first_pass_")}
    details = {
        "indexing": ways,
        "text": text,
        "search": search,
        "match": matched,
        "open": opened,
        "reindex": again,
        "start": started,
    }
    figures |= {name: film[name] for name in ("video_vs_full_pass", "video_cosine_p1")}
    details |= {"first_pass": quick, "video": film}
    return figures | {"details": details | {"memory": peaks, "growth": growth}, "machine": machine(), "sizes": sizes}


def small_photos(folder: Path) -> list[bytes]:
    """Fifty drawn photos of 0.3 megapixels."""
    file, kept = folder / "small.jpg", []
    for number in range(0, 300, 6):
        draw_photo(file, number)
        kept.append(file.read_bytes())
    return kept


def grown(folder: Path, count: int) -> dict:
    """Seconds to search, open and index again a library of `count` rows."""
    found = {"search_s": scale.search(count, 3)["cliplib_s"], "open_s": None, "reindex_s": None}
    again = scale.reindexing(folder, count, 1)
    return found | {"open_s": again["open_s"], "reindex_s": again["cliplib_s"], "matrix_mb": count * 512 * 4 / 1e6}


def machine() -> dict:
    """What the ratios hold for."""
    able = getattr(torch.cpu, "get_capabilities", dict)()
    units = [name for name in ("amx_bf16", "avx512_bf16", "avx512_f", "avx2") if able.get(name)]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    packages = {name: importlib.metadata.version(name) for name in ("torch", "open_clip_torch", "pillow", "pyarrow")}
    return {
        "cpu": platform.processor() or platform.machine(),
        "units": units,
        "gpu": gpu,
        "cores": torch.get_num_threads(),
    } | packages


def as_table(result: dict) -> str:
    """Markdown: photos a second by way, then every figure with its bound."""
    ways, rates = result["details"]["indexing"], result["details"]["indexing"]["rates"]
    about = {"open_clip": result["machine"]["open_clip_torch"], "precision": ways["precision"]}
    lines = [f"| {result['sizes']['photos']} photos, ViT-B/32 | photos a second |", "|---|---|"]
    lines += [f"| {words.format(**about)} | {rates[way]:.1f} |" for way, words in WORDS.items()]
    lines += ["", "| figure | measured | wanted |", "|---|---|---|"]
    for name, bound in FIGURES.items():
        if name not in result:  # the ceiling is a CPU's
            continue
        ceiling = result.get(f"{name}_ceiling")
        at_most = f"; this CPU allows {ceiling:.2f}" if ceiling else ""
        lines.append(f"| {name} | {result[name]:.4g} | {bound}{at_most} |")
    gap, error = ways["top5_worst_gap"], ways["score_error"]
    lines += ["", f"{ways['top5_changed']} places of 200 top fives changed, between photos at most {gap:.2g} apart;"]
    lines += [f"the scores of the fast path are at most {error:.2g} from those of fp32."]
    lines += [f"Indexing runs at {result['index_share_of_encoder']:.0%} of what the bare encoder does alone."]
    return "\n".join([*lines, "", f"Machine: {result['machine']}"])


def draw_growth(result: dict, file: Path) -> None:
    """Seconds by rows, and megabytes by photos indexed, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (time, memory) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    growth, peaks = result["details"]["growth"], result["details"]["memory"]
    for name, words in (("search_s", "search"), ("open_s", "open"), ("reindex_s", "index again, unchanged")):
        time.loglog(list(growth), [growth[count][name] for count in growth], "o-", label=words)
    time.loglog(list(peaks), [peaks[count]["seconds"] for count in peaks], "o-", label="index, tiny model")
    time.set(xlabel="photos", ylabel="seconds", title="Time")
    memory.loglog(list(peaks), [peaks[count]["peak_mb"] for count in peaks], "o-", label="peak while indexing")
    memory.loglog(
        list(growth), [growth[count]["matrix_mb"] for count in growth], "o-", label="matrix searched: 2 KB a row"
    )
    memory.set(xlabel="photos", ylabel="MB", title="Memory")
    for axes in (time, memory):
        axes.legend()
        axes.grid(True, which="both", alpha=0.3)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Measure, print the table, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes; the figures are rough")
    result = measure(QUICK if parser.parse_args().quick else FULL)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "bench.json").write_text(json.dumps(result, indent=1))
    (OUT / "bench.md").write_text(as_table(result) + "\n")
    draw_growth(result, OUT / "growth.png")
    print(as_table(result))


if __name__ == "__main__":
    main()
