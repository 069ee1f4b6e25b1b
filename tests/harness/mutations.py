"""Damage to the bytes of pictures and videos: by chance, by a bad upload, by a bad disk, or on purpose."""

import random
import struct
import zlib
from pathlib import Path

HUGE = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x0FFFFFFF, 0xFFFF, 0)
NAMES = (  # of boxes and chunks, beside which a file says how long or how many things are
    *(b"moov", b"trak", b"mdat", b"stts", b"stsz", b"stsc", b"stco", b"stss", b"ctts", b"elst", b"tkhd", b"mvhd"),
    *(b"mdhd", b"avcC", b"hvcC", b"ispe", b"iloc", b"ipma", b"iinf", b"iref", b"pitm", b"meta", b"hdlr", b"stsd"),
    *(b"IHDR", b"IDAT", b"PLTE", b"eXIf", b"tEXt", b"Exif", b"II*\0", b"MM\0*", b"VP8 ", b"VP8L", b"ANMF"),
    *(b"\x1a\x45\xdf\xa3", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"),
    *(b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda"),
)
HALF_UPLOADED = (0.02, 0.25, 0.5, 0.75, 0.95)


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    """1 to 30 single bits turned over."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 30)):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_a_bit(rng: random.Random, data: bytes) -> bytes:
    """One bit turned over: the smallest rot there is."""
    out = bytearray(data)
    out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncate(rng: random.Random, data: bytes) -> bytes:
    """An upload that stopped."""
    return data[: rng.randrange(len(data))]


def zero_tail(rng: random.Random, data: bytes) -> bytes:
    """An upload that had reserved its full size, and stopped."""
    kept = rng.randrange(len(data))
    return data[:kept] + bytes(len(data) - kept)


def zero_sector(rng: random.Random, data: bytes) -> bytes:
    """A sector of 512 bytes that a disk or a network lost."""
    at = rng.randrange(max(1, len(data) // 512)) * 512
    return data[:at] + bytes(len(data[at : at + 512])) + data[at + 512 :]


def noise_sector(rng: random.Random, data: bytes) -> bytes:
    """A sector of 512 bytes of something else."""
    at = rng.randrange(max(1, len(data) // 512)) * 512
    return data[:at] + rng.randbytes(len(data[at : at + 512])) + data[at + 512 :]


def drop_slice(rng: random.Random, data: bytes) -> bytes:
    """Up to 4 KB missing from the middle."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 4096) :]


def repeat_slice(rng: random.Random, data: bytes) -> bytes:
    """Up to 4 KB there twice, or a hundred times."""
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randint(1, 4096)]
    return data[:at] + piece * rng.choice((2, 2, 100)) + data[at:]


def huge_length(rng: random.Random, data: bytes) -> bytes:
    """A number of 4 bytes beside the name of a box or a chunk set to something huge, or to nothing."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        places = [at for at in (data.find(name) for name in rng.sample(NAMES, len(NAMES))) if at >= 0]
        at = rng.choice(places[:8] or [0]) + rng.choice((-4, 4, 8, 12, 16, 20))
        value = struct.pack(rng.choice("<>") + "I", rng.choice(HUGE))
        out[max(0, at) : max(0, at) + 4] = value
    return bytes(out)


def huge_picture(rng: random.Random, data: bytes) -> bytes:
    """A PNG or JPEG whose head claims other sides, its checksum mended; of others, the head is spoiled."""
    out = bytearray(data)
    sides = rng.choice(((9000, 9000), (65535, 1), (1, 65535), (65535, 65535), (0, 5), (13000, 13000)))
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    if data.startswith(b"\x89PNG"):
        out[16:24] = struct.pack(">II", *sides)
        out[29:33] = struct.pack(">I", zlib.crc32(out[12:29]))
    elif data.startswith(b"\xff\xd8") and frame > 0:
        out[frame + 5 : frame + 9] = struct.pack(">HH", *sides)
    else:
        return noise_sector(rng, data[:512]) + data[512:]
    return bytes(out)


def splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The head of one file and the body of another."""
    cut = rng.choice((4, 16, 64, 256, 1024, 4096))
    return other[:cut] + data[rng.choice((0, cut)) :]


ALONE = (
    *(flip_a_bit, flip_bits, truncate, zero_tail, zero_sector, noise_sector),
    *(drop_slice, repeat_slice, huge_length, huge_length, huge_picture),
)


def mutated(rng: random.Random, files: list[Path]) -> tuple[str, bytes]:
    """One mutation of one of the files: the suffix to give it, and its bytes. One in four is of a video."""
    videos = [file for file in files if file.parent.name == "videos"]
    photos = [file for file in files if file.parent.name != "videos"]
    file = rng.choice(videos if rng.random() < 0.25 else photos)
    data, suffix = file.read_bytes(), file.suffix
    kind = rng.randrange(len(ALONE) + 2)
    if kind < len(ALONE):
        return suffix, ALONE[kind](rng, data)
    other = rng.choice(files)
    if kind == len(ALONE):
        return suffix, splice(rng, data, other.read_bytes())
    return other.suffix, rng.choice(ALONE)(rng, data)


def damaged_copies(rng: random.Random, data: bytes):
    """(kind, bytes) of half-uploaded and rotten copies of a file."""
    for share in HALF_UPLOADED:
        yield f"cut to {share:.0%}", data[: int(len(data) * share)]
        yield f"zeros after {share:.0%}", data[: int(len(data) * share)].ljust(len(data), b"\0")
    for rot in (zero_sector, noise_sector, flip_a_bit):
        yield rot.__name__.replace("_", " "), rot(rng, data)
