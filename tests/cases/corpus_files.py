"""Small corpora with invented sentences, in the format of each corpus' files; every one of them has rain in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(path: Path, content: Any) -> Path:
    """Writes bytes or text, and everything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes | str):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ecf_text(number: int = 7) -> str:
    """Two conversations in ECF 1.0: the first repeats a pair and has a later cause; the second has no pairs."""
    return f"""\
{number} 3
(2,1),(2,2),(2,1),(1,3)
1 | Ann | joy | The rain is over , at last . | Show_S1E1: 00:00:01.500 - 00:00:02.000
2 | Bob | surprise | It did what ? | Show_S1E1: 00:00:02.000 - 01:00:03.250
3 | Ann | neutral | It stopped . | Show_S1E1: 00:00:04.000 - 00:00:05.000
{number + 1} 1

1 | Cy | neutral | Nothing happened . | Show_S1E1: 00:00:06.000 - 00:00:07.000
"""


ECF_GOLD = {str(number): {(1, 3), (2, 1), (2, 2)} if number % 2 else set() for number in range(1, 7)}
"""Gold pairs of the conversations 1, 3 and 5, and of those that follow each."""


def ecf_json(number: int = 7) -> list[dict[str, Any]]:
    """The same in ECF 2.0, which has no times."""
    spoken = [("The rain is over , at last .", "Ann", "joy"), ("It did what ?", "Bob", "surprise"),
              ("It stopped .", "Ann", "neutral")]  # fmt: skip
    conversation = [
        {"utterance_ID": turn, "text": text, "speaker": speaker, "emotion": emotion}
        for turn, (text, speaker, emotion) in enumerate(spoken, start=1)
    ]
    last = {"utterance_ID": 1, "text": "Nothing happened .", "speaker": "Cy", "emotion": "neutral"}
    pairs = [["2_surprise", "1"], ["2_surprise", "2"], ["1_joy", "3"]]
    return [
        {"conversation_ID": number, "conversation": conversation, "emotion-cause_pairs": pairs},
        {"conversation_ID": number + 1, "conversation": [last], "emotion-cause_pairs": []},
    ]


_ECF_TIMES = {
    (0, 1): ("00:00:01.500", "00:00:02.000"),
    (0, 2): ("00:00:02.000", "01:00:03.250"),
    (0, 3): ("00:00:04.000", "00:00:05.000"),
    (1, 1): ("00:00:06.000", "00:00:07.000"),
}


def ecf_json_with_clips(number: int = 7) -> list[dict[str, Any]]:
    """The same with the times of :func:`ecf_text`, and with names of clips."""
    document = ecf_json(number)
    for place, conversation in enumerate(document):
        for entry in conversation["conversation"]:
            turn = entry["utterance_ID"]
            entry["video_source"] = ["Show_S1E1", *_ECF_TIMES[place, turn]]
            entry["video_name"] = f"dia{number + place}utt{turn}.mp4"
    return document


def ecf_by_dialogue(number: int = 7) -> dict[str, Any]:
    """The same re-encoded by dialogue, with names of clips and of utterances, and without times."""
    dialogues: dict[str, Any] = {}
    for conversation in ecf_json_with_clips(number):
        causes: dict[int, list[int]] = {}
        for target, cause in conversation["emotion-cause_pairs"]:
            causes.setdefault(int(target.partition("_")[0]), []).append(int(cause))
        dialogues[str(conversation["conversation_ID"])] = [
            [
                {
                    "turn": entry["utterance_ID"],
                    "speaker": entry["speaker"],
                    "utterance": entry["text"],
                    "emotion": entry["emotion"],
                    "utterance_name": f"{conversation['conversation_ID']}_{entry['utterance_ID']}",
                    "video": entry["video_name"],
                    "expanded emotion cause evidence": causes.get(entry["utterance_ID"], []),
                }
                for entry in conversation["conversation"]
            ]
        ]
    return dialogues


def ecf_to_meld(number: int = 7) -> str:
    """A map of these conversations to MELD; the third utterance of the first was added by ECF."""
    ids = iter(["train_dia5_utt0", "train_dia5_utt2", "", "dev_dia1_utt0"])
    lines = ecf_text(number).splitlines()
    return "\n".join(f"{line.rpartition(' | ')[0]} | {next(ids)}" if "|" in line else line for line in lines) + "\n"


def turn_lists(dialogue: str = "d1", emotion: str = "joy", evidence: Any = (1, 1, 2, "b")) -> dict[str, Any]:
    """MECAD and RECCON: a dialogue whose second turn has a cause given twice and a latent one."""
    first = {"turn": 1, "speaker": "Ann", "utterance": "More rain .", "emotion": "neutral"}
    second = {"turn": 2, "speaker": "Bob", "utterance": "Oh no !", "emotion": emotion}
    return {dialogue: [[first, {**second, "expanded emotion cause evidence": list(evidence)}]]}


GOLD = {split: {(2, 1), (2, 2)} for split in ("train", "valid", "test")}
"""Gold pairs of such dialogues, and of those of MEC4, if they are called as their splits."""


def mec4(dialogue: str = "d1", text: str = "1.甲：rain。2.5 度 2.乙：哦，不！ 3.甲：是的：真的",
         pairs: str = "（2，1）（2，2）") -> list[dict[str, Any]]:  # fmt: skip
    """MEC4: a dialogue of three turns."""
    return [{"dia_id": dialogue, "dia_len": 3, "text": text, "pairs": pairs}]


MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"


def meld_csv(word: str = "rain") -> str:
    """MELD: a dialogue of two, whose second utterance is missing and whose times fall back, and one of one turn."""
    return (
        f"{MELD_HEADER}\n"
        f'1,"More {word}, they say: ""lots"".",Ann,neutral,neutral,0,0,1,2,"0:16:16,250","00:16:18,500"\n'
        '2,Oh no’,"Ann and Bob",sadness,negative,0,2,1,2,"0:16:10,000","00:17:30,000"\n'
        '4,Yes.,Cy,joy,positive,2,0,1,2,"1:00:00,250","1:00:00,250"\n'
    )


MELD_GOLD: dict[str, set[tuple[int, int]]] = {
    f"{part}_dia{number}": set() for part in ("train", "dev", "test") for number in (0, 2)
}
"""No gold pairs, by dialogue of a corpus of such files."""


def write_meld(folder: Path) -> None:
    """A corpus of three such files."""
    for part in ("train", "dev", "test"):
        write(folder / f"{part}_sent_emo.csv", meld_csv())
