"""`make encoders`: models of every family with random weights, against the numbers of their own packages.

    make encoders                                    everything, about twenty minutes on two cores
    .venv/bin/python -m tests.harness.encoders SigLIP ViT-B-32     some of them

Prints a line for each and writes build/encoders.json after each. "families" compares networks of few blocks with their
own packages. "speed" takes whole architectures, each in a process of its own that does nothing else: the peak of its
memory, and its pictures a second relative to ViT-B/32, which takes turns with it. What a family's architecture reaches
there is in its own entry, too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from cliplib import Library, ModelError, models
from tests.harness.families import FAMILIES, Family, make
from tests.harness.libraries import draw_picture, draw_video, picture
from tests.harness.patience import patience_s

HOME = Path(__file__).resolve().parents[2]
OUT = HOME / "build" / "encoders.json"
PICTURES = [picture(n, (300 + 40 * n, 220 + 10 * n)) for n in range(8)]
TEXTS = [
    "a dog on the beach", "a red car in the snow", "two people at a long table", "ein Hund am Strand",
    "un perro en la playa", "une voiture rouge", "a house , a tree", "photo of a cat",
]  # fmt: skip
END_TO_END = ("SigLIP", "xlm-roberta")
TRANSFORMERS = "transformers CLIP"
SPEED = (  # whole architectures, as open_clip names them
    "ViT-B-32", "RN50", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-B-32-256", "EVA02-B-16", "MobileCLIP2-S0",
    "MobileCLIP2-S4", "ViT-B-16-SigLIP", "ViT-B-32-SigLIP2-256", "ViT-B-16-SigLIP2", "ViT-SO400M-14-SigLIP2",
    "xlm-roberta-base-ViT-B-32", "ViT-B-16-SigLIP-384", "convnext_base_w", "coca_ViT-B-32", "ViT-L-14-CLIPA",
    "ViT-H-14",
)  # fmt: skip
LIKE = {"ViT-B-32-quickgelu": "ViT-B-32", "RN50-quickgelu": "RN50", "nllb-clip-base-siglip": "ViT-B-16-SigLIP-384"}


def equality(name: str) -> dict:
    """The smallest cosine of 8 pictures and 8 texts to their own package's, and how often a guess was wrong."""
    with tempfile.TemporaryDirectory() as place:
        made = make_transformers(Path(place)) if name == TRANSFORMERS else make(FAMILIES[name], Path(place))
        encoder = models.load(made.folder, "cpu", "fp32")
        pairs = [(encoder.encode_images(PICTURES), made.images(PICTURES))]
        pairs += [(encoder.encode_texts(TEXTS), made.texts(TEXTS))]
        cosines = [float((ours * theirs).sum(axis=1).min()) for ours, theirs in pairs]
        spread = [float((theirs @ theirs.T).min()) for _, theirs in pairs]
        found = {"cosine_min": min(cosines), "cosine_images": cosines[0], "cosine_texts": cosines[1]}
        found |= {"reference_least_alike": max(spread), "network": type(encoder._network).__name__}
        found |= {"wrong_guess": wrong_guesses(made, pairs[0][1]), "dim": encoder.dim}
        if name in END_TO_END:
            del encoder
            found["end_to_end"] = end_to_end(made.folder, Path(place) / "photos")
    return found


def wrong_guesses(made, right: np.ndarray) -> int:
    """How often the plain file by its path, alone or with either activation, gave other numbers without a word."""
    wrong = 0
    with tempfile.TemporaryDirectory(dir=made.folder.parent) as place:
        alone = Path(place) / made.file.name
        os.link(made.file, alone)
        for activation in (None, "quickgelu", "gelu"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # who is told what was taken for granted was not left to a guess
                    rows = models.load(alone, "cpu", "fp32", activation).encode_images(PICTURES)
            except (ModelError, UserWarning):
                continue
            told = made_activation(made.folder)
            if activation in (None, told):  # another one was asked for by name
                wrong += int((rows * right).sum(axis=1).min() < 0.9999)
    return wrong


def made_activation(folder: Path) -> str:
    """The activation that a folder's configuration names."""
    if (file := folder / "open_clip_config.json").is_file():
        return "quickgelu" if json.loads(file.read_text())["model_cfg"].get("quick_gelu") else "gelu"
    return "quickgelu" if "quick_gelu" in (folder / "config.json").read_text() else "gelu"


def make_transformers(folder: Path):
    """transformers' own CLIP, of ViT-B/32's widths, with four heads fewer and a mean of its own."""
    import clip.clip
    from transformers import CLIPConfig, CLIPModel

    from tests.harness.families import Made

    torch.manual_seed(0)
    vision = {"num_hidden_layers": 2, "num_attention_heads": 8, "hidden_act": "gelu"}
    text = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "gelu"}
    text |= {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, torch.nn.Linear):
            part.weight.normal_(0, (2 / part.weight.shape[1]) ** 0.5)
    model.save_pretrained(folder)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
    about = {
        "size": {"shortest_edge": 224},
        "do_center_crop": True,
        "resample": 3,
        "image_mean": mean,
        "image_std": std,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(about))

    def images(pictures):
        steps = clip.clip._transform(224).transforms[:3]
        rows = []
        for one in pictures:
            for step in steps:
                one = step(one)
            rows.append((torch.from_numpy(np.array(one)) / 255 - torch.tensor(mean)) / torch.tensor(std))
        with torch.inference_mode():
            seen = model.vision_model(pixel_values=torch.stack(rows).permute(0, 3, 1, 2)).pooler_output
            return torch.nn.functional.normalize(model.visual_projection(seen), dim=-1).numpy()

    def texts(words):
        with torch.inference_mode():
            read = model.text_model(input_ids=clip.clip.tokenize(words)).pooler_output
            return torch.nn.functional.normalize(model.text_projection(read), dim=-1).numpy()

    return Made(folder, folder / "model.safetensors", images, texts)


def end_to_end(model: Path, root: Path) -> bool:
    """Whether index, search, moments, pack and cluster run on one library."""
    from cliplib import cluster
    from tests.harness.local_ray import local_ray

    for n in range(4):
        draw_picture(root / f"{n}.jpg", n, size=(500, 300))
    draw_video(root / "v.mp4", 1)
    options = {"precision": "fp32", "bank": TEXTS}  # a short bank: some 1,500 texts would take minutes
    library = Library(root, model, **options)
    report = library.index(progress=False)
    hits = library.search(TEXTS[3], k=9, threshold=-1)
    moments = library.score(TEXTS[0], "frame").moments(threshold=-1)
    library.save_pack(root.parent / "class.zip")
    packed = Library.open_pack(root.parent / "class.zip", model=model, bank=TEXTS).search(TEXTS[3], k=9, threshold=-1)
    spread = Library(root, model, cache=root.parent / "spread", **options)
    with local_ray():
        cluster.index(spread, workers=1, progress=False)
    clustered = spread.search(TEXTS[3], k=9, threshold=-1)
    paths = [[hit.path for hit in found] for found in (hits, packed, clustered)]
    return report.photos == 4 and len(moments) == 1 and len(hits) == 4 and paths[0] == paths[1] == paths[2]


def write(architecture: str, folder: str) -> dict:
    """Write a whole architecture with random numbers to `folder`, as its publishers ship it."""
    return {"file": str(make(Family(architecture, {}, {}), Path(folder)).file)}


def speed(folder: str, base: str) -> dict:
    """Memory and pictures a second of the model in a folder, in the precision that is fastest here, beside `base`.

    Its memory is what this process takes once it has encoded 16 pictures and 8 texts, and at its peak while it loaded.
    """
    before, encoder = resident_mb(), models.load(folder, "cpu")
    encoder.encode_images(PICTURES * 2)
    encoder.encode_texts(TEXTS)
    found = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "resident_mb": resident_mb()}
    found |= {"without_a_model_mb": before, "parameters": encoder.parameters, "precision": encoder.precision}
    encoders, seconds = (models.load(base, "cpu"), encoder), ([], [])
    for _ in range(4):
        for one, each in zip(encoders, seconds, strict=True):
            batch = [one.prepare(picture) for picture in PICTURES * 2]
            started = time.perf_counter()
            one.encode_images(batch)
            each.append(time.perf_counter() - started)
    base_s, it_s = (min(each[1:]) for each in seconds)  # the first lays the weights out
    return found | {"images_per_s": len(PICTURES) * 2 / it_s, "relative_to_vit_b_32": base_s / it_s}


def resident_mb() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def alone(*arguments: str) -> dict:
    """One of the functions above in a process of its own; its error in words where it fails."""
    command = [sys.executable, "-m", "tests.harness.encoders", "--alone", *arguments]
    environment = os.environ | {"PYTHONPATH": str(HOME), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HOME, timeout=patience_s(1800))
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 else {"error": done.stderr.strip().splitlines()[-1][:300]}


def whole(name: str, place: Path) -> dict:
    """What a whole architecture takes and reaches. ViT-B/32, which all are compared with, is written once."""
    base, folder = place / "ViT-B-32", place / name
    for each in {base, folder}:
        if not each.is_dir():
            each.mkdir()
            alone("write", each.name, str(each))
    found = alone("speed", str(folder), str(base))  # says so where it could not be written
    if folder != base:
        shutil.rmtree(folder)
    return found


def summed_up(families: dict, speeds: dict) -> dict:
    """What is written: the entries, each family with what its whole architecture reaches, and the counts."""
    for name, found in families.items():
        architecture = FAMILIES[name].architecture if name in FAMILIES else "ViT-B-32"
        whole = speeds.get(LIKE.get(architecture, architecture), {})
        found |= {key: whole[key] for key in ("peak_mb", "relative_to_vit_b_32") if key in whole}
    return {
        "families": families,
        "speed": speeds,
        "families_at_0.9999": sum(found.get("cosine_min", 0) >= 0.9999 for found in families.values()),
        "wrong_guess": sum(found.get("wrong_guess", 0) for found in families.values()),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="families, or whole architectures to time; all where none is named")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        function, *rest = arguments.names
        print(json.dumps({"equality": equality, "write": write, "speed": speed}[function](*rest)))
        return
    kept = json.loads(OUT.read_text()) if arguments.names and OUT.is_file() else {}
    families, speeds = kept.get("families", {}), kept.get("speed", {})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for name in arguments.names or dict.fromkeys([*FAMILIES, TRANSFORMERS, *SPEED]):
            if name in FAMILIES or name == TRANSFORMERS:
                families[name] = alone("equality", name)
            if name in SPEED:
                speeds[name] = whole(name, Path(place))
            for found in [entries[name] for entries in (families, speeds) if name in entries]:
                rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in found.items()}
                print(f"{name:28s} {json.dumps(rounded)}", flush=True)
            result = summed_up(families, speeds)
            OUT.write_text(json.dumps(result, indent=1))
    right = f"{result['families_at_0.9999']} of {len(families)} families at 0.9999 or more"
    print(f"{right}; wrong guesses {result['wrong_guess']}")


if __name__ == "__main__":
    main()
