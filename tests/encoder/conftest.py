"""A small corpus written for these tests, and a tokenizer trained on it."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from triglot.encoder.tokenizer import train_tokenizer, word_counts

TEXTS = {
    "en": [
        "Which river flows through the old town?",
        "The bridge across the river was built in 1905 and repaired in 1987.",
        "Bread is baked in the village every morning, and the mill stands beside the water.",
        "Who wrote the letter that was found under the bridge?",
        "Rain fell on the mountain for three days; the road to the valley was closed.",
    ],
    "de": [
        "Welcher Fluss fließt durch die alte Stadt?",
        "Die Brücke über den Fluss wurde 1905 gebaut und 1987 ausgebessert.",
        "Im Dorf wird jeden Morgen Brot gebacken, und die Mühle steht am Wasser.",
        "Wer schrieb den Brief, der unter der Brücke gefunden wurde?",
        "Drei Tage fiel Regen auf den Berg; die Straße ins Tal war gesperrt.",
    ],
    "el": [
        "Ποιο ποτάμι περνά από την παλιά πόλη;",
        "Η γέφυρα πάνω από το ποτάμι χτίστηκε το 1905 και επισκευάστηκε το 1987.",
        "Κάθε πρωί ψήνουν ψωμί στο χωριό, και ο μύλος είναι δίπλα στο νερό.",
    ],
    "zh": [
        "哪条河流过老城?",
        "河上的桥建于1905年,1987年修过。",
        "村里每天早上烤面包,磨坊就在水边。",
        "谁写了在桥下找到的那封信?",
    ],
    "th": [
        "แม่น้ำสายใดไหลผ่านเมืองเก่า",
        "สะพานข้ามแม่น้ำสร้างในปี 1905 และซ่อมในปี 1987",
        "ทุกเช้าหมู่บ้านอบขนมปัง และโรงสีอยู่ริมน้ำ",
    ],
    "ar": [
        "أي نهر يمر عبر المدينة القديمة؟",
        "بُني الجسر فوق النهر عام ١٩٠٥ وأصلح عام ١٩٨٧.",
        "يُخبز الخبز في القرية كل صباح، والطاحونة بجانب الماء.",
    ],
    "hi": [
        "पुराने शहर से कौन सी नदी बहती है?",
        "नदी पर पुल १९०५ में बना और 1987 में ठीक किया गया।",
        "गाँव में हर सुबह रोटी बनती है, और चक्की पानी के पास है।",
    ],
}
MIXED = [
    "",
    "   ",
    "the bridge",
    "桥 bridge สะพาน Brücke γέφυρα जल 1905",
    "unseen ѯѱѡ 🜚 letters",
    "¿Qué? «così» — don't… (ﬁne) ①②③",
    "river " * 700,
    "桥" * 900,
]
"""Texts that are hard on an encoder: empty, blank, short, many scripts, unknown letters, odd marks, very long."""


@pytest.fixture(scope="session")
def words() -> dict[str, dict[str, int]]:
    return word_counts(TEXTS)


@pytest.fixture(scope="session")
def tokenizer(words) -> Tokenizer:
    return train_tokenizer(words, vocab=700, character_coverage=1.0)
