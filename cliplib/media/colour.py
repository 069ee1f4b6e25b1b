"""Colours as sRGB, which is what models have been shown: photos by their profile, wide and HDR pictures by formula.

Formulas: HLG and PQ of ITU-R BT.2100-2; white of SDR at 203 nits (ITU-R BT.2408-7, 2.2); primaries of BT.2020, of
Display P3 (SMPTE EG 432-1) and of Adobe RGB (1998); the sRGB curve of IEC 61966-2-1. Codes are those of ITU-T H.273.
"""

from __future__ import annotations

import functools
import hashlib
import io

import numpy as np
from PIL import Image, ImageCms

PQ, HLG = 16, 18  # codes of transfer characteristics
BT2020, P3 = 9, 12  # codes of primaries
ADOBE = "adobe"  # Adobe RGB has no code
WHITE_NITS, HLG_PEAK_NITS, HLG_GAMMA = 203.0, 1000.0, 1.2
KNEE = 0.8  # of white, in linear light: from here on brightness is compressed
MOST_ICC_BYTES = 2**24
XYZ_OF: dict[int | str | None, tuple] = {  # linear RGB to XYZ, D65
    BT2020: ((0.636958, 0.144617, 0.168881), (0.262700, 0.677998, 0.059302), (0.0, 0.028073, 1.060985)),
    P3: ((0.486571, 0.265668, 0.198217), (0.228975, 0.691739, 0.079287), (0.0, 0.045113, 1.043944)),
    ADOBE: ((0.576669, 0.185558, 0.188229), (0.297345, 0.627364, 0.075291), (0.027031, 0.070689, 0.991338)),
}
SRGB_OF_XYZ = ((3.240970, -1.537383, -0.498611), (-0.969244, 1.875968, 0.041555), (0.055630, -0.203977, 1.056972))
BT2020_LUMINANCE = (0.2627, 0.6780, 0.0593)


def by_icc(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An RGB or CMYK image as sRGB by its ICC profile; the image as it is where no profile is given or fits."""
    if not icc or len(icc) > MOST_ICC_BYTES or image.mode not in ("RGB", "CMYK"):
        return image
    transform = _transform(hashlib.sha256(icc).digest(), image.mode, _Bytes(icc))
    return ImageCms.applyTransform(image, transform) or image if transform else image


class _Bytes:
    """Bytes that are no part of a cache's key: their digest is."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=16)
def _transform(digest: bytes, mode: str, icc: _Bytes) -> ImageCms.ImageCmsTransform | None:
    """What turns colours of a profile into sRGB; None where it is sRGB, for another mode of picture, or damaged."""
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(icc.data))
        if given.profile.xcolor_space.strip() != mode or "srgb" in (given.profile.profile_description or "").lower():
            return None
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        return ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
    except Exception:  # lcms raises several types; a picture with a damaged profile is shown without
        return None


def from_primaries(image: Image.Image, primaries: int | str | None) -> Image.Image:
    """An RGB image of wider primaries, coded with the sRGB curve or one like it, as sRGB."""
    if primaries not in XYZ_OF:
        return image
    return Image.fromarray(_coded(_to_srgb(_linear_of_8_bits()[np.asarray(image)], primaries)))


def from_hdr(pixels: np.ndarray, transfer: int, primaries: int | None) -> Image.Image:
    """An HDR picture as sRGB.

    Args:
        pixels: uint16 (h, w, 3), RGB as coded, full range.
        transfer: `PQ` or `HLG`.
        primaries: a code of ITU-T H.273.

    Returns:
        The image: SDR's white (203 nits) comes out just below white, and brighter light is compressed above it.
    """
    light = _light(transfer)[pixels]  # float32 (h, w, 3), linear
    if transfer == HLG:  # of the scene; a display of 1,000 nits brightens it by its luminance (BT.2100, OOTF)
        luminance = light @ np.array(BT2020_LUMINANCE, np.float32)
        light *= (np.maximum(luminance, 1e-6) ** (HLG_GAMMA - 1) * (HLG_PEAK_NITS / WHITE_NITS))[..., None]
    light = _to_srgb(light, primaries)
    np.maximum(light, 0, out=light)
    bright = light > KNEE
    light[bright] = KNEE + (1 - KNEE) * (1 - np.exp((KNEE - light[bright]) / (1 - KNEE)))
    return Image.fromarray(_coded(light))


@functools.cache
def _light(transfer: int) -> np.ndarray:
    """float32 (65536,): the linear light of each 16-bit code, PQ's as a share of SDR's white, HLG's of the scene's."""
    code = np.arange(65536) / 65535
    if transfer == HLG:
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    else:
        root = code ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        light *= 10_000 / WHITE_NITS
    return light.astype(np.float32)


@functools.cache
def _linear_of_8_bits() -> np.ndarray:
    code = np.arange(256) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _to_srgb(light: np.ndarray, primaries: int | str | None) -> np.ndarray:
    """Linear light of those primaries as linear light of sRGB's, (..., 3)."""
    if primaries not in XYZ_OF:
        return light
    return light @ (np.array(SRGB_OF_XYZ) @ np.array(XYZ_OF[primaries])).T.astype(np.float32)


@functools.cache
def _code_of_light() -> np.ndarray:
    light = np.arange(16385) / 16384
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * coded).astype(np.uint8)


def _coded(light: np.ndarray) -> np.ndarray:
    """uint8 of linear light, cut to what sRGB holds."""
    return _code_of_light()[(np.clip(light, 0, 1) * 16384 + 0.5).astype(np.uint16)]
