"""Small programs with the file layout and the documented behaviour of HiLo, and with names and structures of their own.

Each learns nothing worth knowing, evaluates validation after each epoch, keeps the weights of the best one, loads them
again, evaluates test and prints precision, recall and F1. Each also writes ``own_{split}.json``: its own decisions with
these weights, made without a data loader, which is what the launcher's files are compared with; one of them also writes
``probability_{split}.json``, ``emotion_{split}.json`` and ``cause_{split}.json``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

__all__ = ["CLONES", "make_clone"]

_TOOLS = '''
import json, random, re, torch

def conversations(name):
    lines = open(f"data/dataset/{name}.txt").read().split("\\n")
    found, at = [], 0
    while at + 1 < len(lines):
        number, size = map(int, lines[at].split())
        links = [(int(a) - 1, int(b) - 1) for a, b in re.findall(r"\\((\\d+),(\\d+)\\)", lines[at + 1])]
        found.append({"number": number, "size": size, "links": links})
        at += 2 + size
    return found

def features(talk):
    return torch.randn(talk["size"], 6, generator=torch.Generator().manual_seed(talk["number"]))

def score(talks, decided):
    gold = {(t["number"], *link) for t in talks for link in t["links"]}
    found = {(n, i, j) for n, m in decided.items() for i, row in enumerate(m) for j, x in enumerate(row) if x}
    p, r = len(gold & found) / max(1, len(found)), len(gold & found) / len(gold)
    return p, r, 2 * p * r / max(1e-9, p + r)

def store(name, decided, what="own"):
    json.dump(decided, open(f"{what}_{name}.json", "w"))

def shake(net, loss):
    """One step, and noise, so that epochs differ."""
    loss.backward()
    with torch.no_grad():
        for w in net.parameters():
            w -= 0.1 * w.grad.clamp(-1, 1) if w.grad is not None else 0
            w += 0.3 * torch.randn(w.shape)
            w.grad = None
'''

# Several dialogues in a row, rows padded; three pair logits in a list within a tuple; the trainer decides.
_PACKED = {
    "main.py": """
from collections import Mapping  # as attrdict does
import sys
import manifest  # a module of the clone, whose name is also one beside the launcher
from src.trainer import Coach
assert isinstance({}, Mapping) and manifest.OF == "the clone"
if __name__ == "__main__":
    Coach(seed=int(sys.argv[sys.argv.index("--seed") + 1])).work()
""",
    "manifest.py": 'OF = "the clone"',
    "src/loader.py": """
import torch
from torch.utils.data import DataLoader
from src.tools import conversations, features

def packs(name, room=16):
    full = [[]]
    for talk in conversations(name):
        if sum(t["size"] for t in full[-1]) + talk["size"] > room:
            full.append([])
        full[-1].append(talk)
    return full

def together(rows):
    width = max(sum(t["size"] for t in row) for row in rows)
    x, present = torch.zeros(len(rows), width, 6), torch.zeros(len(rows), width)
    allowed = torch.zeros(len(rows), width, width, dtype=torch.bool)
    for k, row in enumerate(rows):
        at = 0
        for talk in row:
            end = at + talk["size"]
            x[k, at:end], present[k, at:end] = features(talk), 1
            allowed[k, at:end, at:end] = torch.ones(talk["size"], talk["size"]).tril().bool()
            at = end
    return {"x": x, "present": present, "allowed": allowed}

def loader(name):
    return DataLoader(packs(name), batch_size=2, collate_fn=together)
""",
    "src/model.py": """
import torch
from torch import nn

class Three(nn.Module):
    def __init__(self):
        super().__init__()
        self.bottom = nn.Linear(6, 8)
        self.a, self.b, self.c = (nn.Linear(16, 2) for _ in range(3))
        self.mood, self.root = nn.Linear(8, 5), nn.Linear(8, 2)

    def forward(self, x, present, allowed):
        h = torch.tanh(self.bottom(x)) * present[..., None]
        n = h.shape[1]
        both = torch.cat([h[:, :, None].expand(-1, -1, n, -1), h[:, None].expand(-1, n, -1, -1)], -1)
        return h.sum(), [self.a(both), self.b(both), self.c(both)], (self.mood(h), self.root(h))
""",
    "src/trainer.py": """
import copy, torch
from src.loader import loader, packs, together
from src.model import Three
from src.tools import conversations, score, shake, store

class Coach:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.net = Three()
        self.loaders = {name: loader(name) for name in ("train", "valid", "test")}

    def decide(self, rows, batch):
        _, parts, (mood, root) = self.net(**batch)
        yes, found = sum(parts).argmax(-1), {}
        keep = (mood.argmax(-1) == 1)[:, :, None] | (root.argmax(-1) == 1)[:, None, :]
        yes = yes.bool() & keep & batch["allowed"]
        for k, row in enumerate(rows):
            at = 0
            for t in row:
                found[t["number"]] = yes[k, at : at + t["size"], at : at + t["size"]].int().tolist()
                at += t["size"]
        return found

    def rate(self, name):
        self.net.eval()
        rows, found = packs(name), {}
        with torch.no_grad():
            for batch in self.loaders[name]:
                found.update(self.decide(rows[: len(batch["x"])], batch))
                rows = rows[len(batch["x"]) :]
        p, r, f = score(conversations(name), found)
        print("%s %.4f %.4f %.4f" % (name, 100 * p, 100 * r, 100 * f))
        return f

    def work(self):
        best = -1.0
        for epoch in range(3):
            self.net.train()
            for batch in self.loaders["train"]:
                shake(self.net, self.net(**batch)[0])
            f = self.rate("valid")
            if f > best and epoch < 2:
                best, saved = f, copy.deepcopy(self.net.state_dict())
        self.net.load_state_dict(saved)
        self.net.eval()
        with torch.no_grad():
            for name in ("valid", "test"):
                own = {}
                for row in packs(name):
                    own.update(self.decide([row], together([row])))
                store(name, own)
        self.rate("test")
""",
}

# One dialogue in each step; an object with attributes; two emotions; scores as log lines, not rounded.
_SINGLE = {
    "main.py": """
import torch
import src.trainer as t
torch.manual_seed(4)
t.main()
""",
    "src/loader.py": """
from torch.utils.data import DataLoader, Dataset
from src.tools import conversations, features

class Talks(Dataset):
    def __init__(self, name):
        self.talks = conversations(name)
    def __len__(self):
        return len(self.talks)
    def __getitem__(self, k):
        return features(self.talks[k]), f"dia{self.talks[k]['number']}"

def make(name):
    return DataLoader(Talks(name), batch_size=None)
""",
    "src/model.py": """
import torch
from dataclasses import dataclass
from torch import nn

@dataclass
class Answer:
    upper: torch.Tensor
    lower: torch.Tensor
    feeling: torch.Tensor
    reason: torch.Tensor

class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(6, 4), nn.Linear(6, 4)
        self.feeling, self.reason = nn.Linear(6, 2), nn.Linear(6, 2)

    def forward(self, x):
        left, right = self.left(x), self.right(x)
        pairs = left[:, None] + right[None]
        return Answer(pairs[..., :2], pairs[..., 2:], self.feeling(x), self.reason(x))
""",
    "src/trainer.py": """
import sys, torch
from src.loader import Talks, make
from src.model import Judge
from src.tools import score, shake, store

class Runner:
    def __init__(self):
        self.judge = Judge()

    def matrix(self, a):
        total = a.upper + a.lower
        n = len(total)
        e, c = a.feeling.argmax(1).tolist(), a.reason.argmax(1).tolist()
        return [[int(j <= i and (e[i] == 1 or c[j] == 1) and float(total[i, j, 1]) > float(total[i, j, 0]))
                 for j in range(n)] for i in range(n)]

    def test(self, name):
        self.judge.eval()
        source, found = make(name), {}
        for x, mark in source:
            found[int(mark[3:])] = self.matrix(self.judge(x))
        p, r, f = score(source.dataset.talks, found)
        for word, value in (("precision", p), ("recall", r), ("f1", f)):
            print(f"2024-05-06 10:11:12.345 | INFO | {word}: {value}", file=sys.stderr)
        return f

    def __call__(self):
        best, path = -1.0, "save.pt"
        for epoch in range(3):
            self.judge.train()
            for x, _ in make("train"):
                shake(self.judge, self.judge(x).upper.mean())
            f = self.test("valid")
            if f > best and epoch < 2:
                best = f
                torch.save(self.judge.state_dict(), path)
        self.judge.load_state_dict(torch.load(path))
        self.judge.eval()
        own = {}
        for name in ("valid", "test"):
            talks = Talks(name)
            for x, mark in (talks[k] for k in range(len(talks))):
                n, a = int(mark[3:]), self.judge(x)
                total = (a.upper + a.lower).softmax(-1)[..., 1].double()
                own.setdefault(f"own_{name}", {})[n] = self.matrix(a)
                own.setdefault(f"emotion_{name}", {})[n] = a.feeling.argmax(-1).tolist()
                own.setdefault(f"cause_{name}", {})[n] = a.reason.argmax(-1).tolist()
                own.setdefault(f"probability_{name}", {})[n] = total.tolist()
        for key, value in own.items():
            store(key.split("_")[1], value, key.split("_")[0])
        self.test("test")

def main():
    Runner()()
""",
}

# Dialogues padded to the longest of the batch; the model sums and decides, and gives decisions alone.
_INSIDE = {
    "main.py": """
from src import trainer
trainer.Session(9).everything()
""",
    "src/loader.py": """
import torch
from torch.utils.data import DataLoader
from src.tools import conversations, features

def padded(talks):
    xs = torch.nn.utils.rnn.pad_sequence([features(t) for t in talks], batch_first=True)
    return [xs, [t["size"] for t in talks], {"links": [t["links"] for t in talks]}]

def feed(name, size=3):
    return DataLoader(conversations(name), batch_size=size, collate_fn=padded)
""",
    "src/model.py": """
import torch
from torch import nn

class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 8, 8))
    def forward(self, h):
        return torch.einsum("bih,chk,bjk->bcij", h, self.w, h)

class Decider(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.GRU(6, 8, batch_first=True)
        self.heads = nn.ModuleList([Head(), Head()])
        self.top = nn.Linear(8, 9)

    def forward(self, x, sizes):
        h = self.base(x)[0]
        weights = sum(head(h) for head in self.heads)
        emotions, causes = self.top(h).split([7, 2], -1)
        emotions, causes = emotions.max(-1)[1], causes.max(-1)[1]
        keep = (emotions == 1)[:, :, None] | (causes == 1)[:, None, :]
        keep = keep & torch.ones(x.shape[1], x.shape[1]).tril().bool()
        chosen = (weights.softmax(1)[:, 1] > 0.5) & keep
        return {"loss": h.mean(), "chosen": chosen, "emotions": emotions, "causes": causes}
""",
    "src/trainer.py": """
import torch
from src.loader import feed, padded
from src.model import Decider
from src.tools import conversations, score, shake, store

class Session:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.module, self.sources = Decider(), {n: feed(n) for n in ("train", "valid", "test")}

    def look(self, talks, xs, sizes):
        chosen = self.module(xs, sizes=sizes)["chosen"]
        return {t["number"]: chosen[k, : t["size"], : t["size"]].int().tolist() for k, t in enumerate(talks)}

    @torch.no_grad()
    def measure(self, name):
        self.module.eval()
        talks, at, found = conversations(name), 0, {}
        for xs, sizes, rest in self.sources[name]:
            found.update(self.look(talks[at : at + len(sizes)], xs, sizes))
            at += len(sizes)
        p, r, f = (round(100 * value, 2) for value in score(talks, found))
        print("| emotion | 61.25 | 38.75 | 47.47 |\\n| pairs | %.2f | %.2f | %.2f |" % (p, r, f))
        return f

    def everything(self):
        best = -1
        for epoch in range(3):
            self.module.train()
            for xs, sizes, rest in self.sources["train"]:
                shake(self.module, self.module(xs, sizes)["loss"])
            f = self.measure("valid")
            if f > best and epoch < 2:
                best, state = f, {k: v.clone() for k, v in self.module.state_dict().items()}
        self.module.load_state_dict(state)
        self.module.eval()
        for name in ("valid", "test"):
            own = {}
            for t in conversations(name):
                xs, sizes, _ = padded([t])
                own.update(self.look([t], xs, sizes))
            store(name, own)
        self.measure("test")
""",
}

# Two models, one after the other in each step; a stack of logits; a loop that evaluates in a function of its own.
_TWO_MODELS = {
    "main.py": """
from src.trainer import Pair
Pair().go()
""",
    "src/loader.py": _INSIDE["src/loader.py"].replace(
        '[t["size"] for t in talks]', 'torch.tensor([[0, t["size"]] for t in talks])'
    ),
    "src/model.py": """
import torch
from torch import nn

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Linear(6, 8)
    def forward(self, x):
        return torch.tanh(self.words(x))

class Answers(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 2, 8, 8))
        self.e, self.c = nn.Linear(8, 2), nn.Linear(8, 2)
    def forward(self, h):
        return torch.einsum("bih,schk,bjk->bsijc", h, self.w, h), self.e(h), self.c(h)
""",
    "src/trainer.py": """
import torch
from src.loader import feed, padded
from src.model import Answers, Words
from src.tools import conversations, score, shake, store

class Pair:
    def __init__(self):
        torch.manual_seed(1)
        self.words, self.answers = Words(), Answers()
        self.both = torch.nn.ModuleList([self.words, self.answers])

    def apply(self, xs, spans):
        stack, e, c = self.answers(self.words(xs))
        yes = stack.sum(1).argmax(-1) == 1
        yes &= (e.argmax(-1) == 1)[:, :, None] | (c.argmax(-1) == 1)[:, None, :]
        yes &= torch.ones(yes.shape[1:]).tril().bool()
        return [m[:n, :n].int().tolist() for m, (_, n) in zip(yes, spans.tolist())]

    def evaluate(self, source, talks):
        self.both.eval()
        found = []
        with torch.no_grad():
            for xs, spans, rest in source:
                found += self.apply(xs, spans)
        p, r, f = score(talks, {t["number"]: m for t, m in zip(talks, found)})
        print(f"P {p:.5f} R {r:.5f} F {f:.5f}")
        return f

    def go(self):
        best, sources = -1, {n: feed(n) for n in ("train", "valid", "test")}
        for epoch in range(3):
            self.both.train()
            for xs, spans, rest in sources["train"]:
                shake(self.both, self.answers(self.words(xs))[0].mean())
            f = self.evaluate(sources["valid"], conversations("valid"))
            if f > best and epoch < 2:
                best, state = f, {k: v.clone() for k, v in self.both.state_dict().items()}
        self.both.load_state_dict(state)
        self.both.eval()
        for name in ("valid", "test"):
            store(name, {t["number"]: self.apply(*padded([t])[:2])[0] for t in conversations(name)})
        self.evaluate(sources["test"], conversations("test"))
""",
}

# What the stubs differ in is theirs alone; data and layout of the files are those of HiLo.
CLONES: dict[str, dict[str, str]] = {
    "packed": _PACKED,
    "single": _SINGLE,
    "inside": _INSIDE,
    "two_models": _TWO_MODELS,
}


def make_clone(folder: Path, name: str, changes: Mapping[str, str] | None = None) -> Path:
    """Writes a stub of HiLo with made-up dialogues.

    Args:
        folder: Where to write; becomes the clone.
        name: Which stub.
        changes: Texts of its ``src/trainer.py``, by what replaces them.

    Returns:
        The folder.
    """
    drawn = random.Random(0)
    files = {"src/tools.py": _TOOLS, "src/config.yaml": "seed: 42\n", "src/__init__.py": "", **CLONES[name]}
    for old, new in (changes or {}).items():
        assert old in files["src/trainer.py"]
        files["src/trainer.py"] = files["src/trainer.py"].replace(old, new)
    number = 0
    for split, count in (("train", 5), ("valid", 16), ("test", 19)):
        lines = []
        for _ in range(count):
            number += 1
            size = drawn.randint(1, 9)
            pairs = [(i, j) for i in range(1, size + 1) for j in range(1, size + 1) if drawn.random() < 0.3]
            lines += [f"{number} {size}", ",".join(f"({i},{j})" for i, j in pairs)]
            lines += [f"{turn} | A | neutral | words {drawn.random()} | x" for turn in range(1, size + 1)]
        files[f"data/dataset/{split}.txt"] = "\n".join(lines) + "\n"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder
