"""Where CLIP and PyTorch can be had from here: asked of the network in seconds, even of one that swallows packets."""

import http.client
import platform
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

PROBE_LIMIT_S = 3
CLIP_COMMIT = "d05afc436d78f1c48dc0dbf8e5980a9d471f35f6"
CLIP_GIT = f"git+https://github.com/openai/CLIP.git@{CLIP_COMMIT}"
CLIP_ZIP = f"https://github.com/openai/CLIP/archive/{CLIP_COMMIT}.zip"
CLIP_REGISTRY = "clip-anytorch==2.6.0"  # the same code; the registry's package called plain `clip` is another project
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def choose():
    """The sources of CLIP and of torch with torchvision, each a list of (words, what pip takes), best first."""
    github, cpu_index = probe([CLIP_ZIP, f"{TORCH_CPU_INDEX}/torch/"])
    has_git = shutil.which("git") is not None
    return clip_sources(github, has_git), torch_sources(cpu_index, has_nvidia_gpu(), sys.platform, platform.machine())


def clip_sources(github_answers, has_git):
    """Where CLIP may come from, best first: (words, what pip installs)."""
    registry = ("CLIP from the package index (GitHub was no help)", CLIP_REGISTRY)
    if not github_answers:
        return [registry]
    return [("CLIP from openai/CLIP on GitHub", CLIP_GIT if has_git else CLIP_ZIP), registry]


def torch_sources(cpu_index_answers, gpu, system, machine):
    """Where torch and torchvision may come from, best first: (words, pip arguments)."""
    brings_cuda = system == "linux" and machine == "x86_64"
    size = "about 6 GB with CUDA" if brings_cuda else "under 1 GB"
    ordinary = (f"torch and torchvision from the package index ({size})", [])
    if system != "linux" or gpu or not cpu_index_answers:
        return [ordinary]
    return [("torch and torchvision for the CPU (under 1 GB)", ["--index-url", TORCH_CPU_INDEX]), ordinary]


def probe(urls):
    """Whether each of `urls` answers, asked all at once: a list of bools after PROBE_LIMIT_S seconds at most."""
    answered = [False] * len(urls)

    def ask(place):
        answered[place] = answers(urls[place])

    # A name lookup has no limit of its own, so the limit is on waiting: a thread that still hangs is left behind.
    threads = [threading.Thread(target=ask, args=(place,), daemon=True) for place in range(len(urls))]
    deadline = time.monotonic() + PROBE_LIMIT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(answered)


def answers(url):
    """Whether `url` answers a HEAD request with success."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_LIMIT_S):
            return True
    except urllib.error.URLError as error:
        # Python from python.org on macOS has no certificates until told to; pip brings its own, so let pip decide.
        return sys.platform == "darwin" and isinstance(error.reason, ssl.SSLCertVerificationError)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def has_nvidia_gpu():
    """Whether the NVIDIA driver lists a GPU."""
    program = shutil.which("nvidia-smi")
    if not program:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout
