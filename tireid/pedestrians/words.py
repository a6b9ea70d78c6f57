"""The vocabulary of captions: for every attribute the plain words of the studio and the loose ones of the street."""

from __future__ import annotations

Words = tuple[str, ...]

COLOURS: dict[str, tuple[Words, Words]] = {
    "black": (("black",), ("black", "black", "jet black", "pitch black", "inky")),
    "white": (("white",), ("white", "white", "off-white", "snow white", "plain white")),
    "grey": (("grey",), ("grey", "gray", "ash grey", "charcoal", "silver grey")),
    "red": (("red",), ("red", "red", "bright red", "crimson", "scarlet")),
    "maroon": (("dark red", "maroon"), ("maroon", "burgundy", "wine red", "dark red")),
    "pink": (("pink",), ("pink", "pink", "rose", "light pink", "salmon pink")),
    "orange": (("orange",), ("orange", "orange", "bright orange", "tangerine")),
    "yellow": (("yellow",), ("yellow", "yellow", "mustard", "lemon yellow", "golden")),
    "beige": (("beige",), ("beige", "cream", "tan", "sand-coloured", "cream-coloured")),
    "brown": (("brown",), ("brown", "brown", "chocolate brown", "chestnut", "coffee-coloured")),
    "olive": (("olive green", "olive"), ("olive", "khaki", "army green", "moss green")),
    "green": (("green",), ("green", "green", "emerald", "grass green", "bright green")),
    "teal": (("teal",), ("teal", "turquoise", "blue-green", "sea green")),
    "light blue": (("light blue",), ("light blue", "pale blue", "sky blue", "baby blue", "powder blue")),
    "blue": (("blue",), ("blue", "blue", "royal blue", "cobalt blue", "bright blue")),
    "navy": (("dark blue", "navy"), ("navy", "navy blue", "dark blue", "midnight blue")),
    "purple": (("purple",), ("purple", "violet", "plum", "purple")),
}
"""Colour: (studio words, street words)."""

VAGUE_COLOURS: dict[str, Words] = {
    "dark": ("dark", "dark-coloured", "darkish"),
    "light": ("light", "light-coloured", "pale"),
    "bright": ("bright", "brightly coloured", "vivid"),
    "neutral": ("dull", "muted", "neutral"),
}
VAGUE_OF: dict[str, str] = {
    "black": "dark", "navy": "dark", "maroon": "dark", "brown": "dark", "olive": "dark", "purple": "dark",
    "white": "light", "beige": "light", "pink": "light", "light blue": "light", "red": "bright", "orange": "bright",
    "yellow": "bright", "green": "bright", "teal": "bright", "blue": "bright", "grey": "neutral",
}  # fmt: skip
NEIGHBOURS: dict[str, Words] = {
    "black": ("navy", "grey"), "white": ("beige", "grey", "light blue"), "grey": ("black", "light blue", "white"),
    "red": ("maroon", "orange", "pink"), "maroon": ("red", "brown", "purple"), "pink": ("red", "purple", "white"),
    "orange": ("red", "yellow", "brown"), "yellow": ("orange", "beige"), "beige": ("white", "brown", "yellow"),
    "brown": ("maroon", "black", "olive"), "olive": ("green", "brown", "grey"), "green": ("teal", "olive"),
    "teal": ("green", "blue"), "light blue": ("blue", "white", "grey"), "blue": ("navy", "light blue", "purple"),
    "navy": ("black", "blue"), "purple": ("maroon", "blue", "navy"),
}  # fmt: skip
"""What a careless describer takes a colour for."""

HAIR_COLOURS: dict[str, tuple[Words, Words]] = {
    "black": (("black",), ("black", "dark", "raven")),
    "brown": (("brown",), ("brown", "dark brown", "brunette")),
    "blonde": (("blonde",), ("blonde", "fair", "golden")),
    "red": (("red",), ("red", "ginger", "auburn")),
    "grey": (("grey",), ("grey", "gray", "greying")),
    "white": (("white",), ("white", "snowy")),
}
HAIR_STYLES: dict[str, tuple[Words, Words]] = {
    "short": (("short {} hair",), ("short {} hair", "short, {} hair", "cropped {} hair", "neatly cut {} hair")),
    "curly": (("curly {} hair",), ("curly {} hair", "frizzy {} hair", "a mop of {} curls", "big, {} curly hair")),
    "bob": (("a {} bob", "chin-length {} hair"), ("medium-length {} hair", "a {} bob", "{} hair down to the chin")),
    "long": (
        ("long {} hair",),
        ("long {} hair", "long, loose {} hair", "{} hair past the shoulders", "flowing {} hair"),
    ),
    "ponytail": (
        ("a {} ponytail", "{} hair in a ponytail"),
        ("{} hair tied back", "a {} ponytail", "ponytailed {} hair"),
    ),
    "bun": (("{} hair in a bun", "a {} bun"), ("{} hair tied up in a knot", "{} hair pinned up", "a {} bun")),
}
"""With a place for the colour."""

TYPES: dict[str, tuple[Words, Words]] = {
    "t-shirt": (("t-shirt",), ("t-shirt", "tee", "tee shirt", "tshirt")),
    "tank top": (("tank top",), ("tank top", "sleeveless top", "singlet")),
    "polo shirt": (("polo shirt",), ("polo shirt", "polo", "collared shirt")),
    "shirt": (("shirt",), ("shirt", "button-up shirt", "dress shirt", "buttoned shirt")),
    "sweater": (("sweater",), ("sweater", "jumper", "pullover", "sweatshirt", "knitted top")),
    "hoodie": (("hoodie",), ("hoodie", "hooded sweatshirt", "hooded top", "hoody")),
    "jacket": (("jacket",), ("jacket", "windbreaker", "zip-up jacket", "outdoor jacket")),
    "blazer": (("blazer", "suit jacket"), ("blazer", "suit jacket", "sports coat", "formal jacket")),
    "puffer jacket": (("puffer jacket",), ("puffer jacket", "down jacket", "padded jacket", "quilted coat")),
    "coat": (("coat",), ("coat", "overcoat", "long coat", "trench coat", "winter coat")),
    "vest": (("vest",), ("vest", "waistcoat", "gilet", "sleeveless jacket")),
    "cardigan": (("cardigan",), ("cardigan", "knitted cardigan", "button-up knit")),
    "dress": (("dress",), ("dress", "frock", "gown", "one-piece dress")),
    "trousers": (("trousers",), ("trousers", "pants", "slacks", "dress pants")),
    "jeans": (("jeans",), ("jeans", "denim pants", "denims", "denim jeans")),
    "sweatpants": (("sweatpants",), ("sweatpants", "joggers", "track pants", "jogging bottoms")),
    "leggings": (("leggings",), ("leggings", "tights", "skin-tight pants", "skinny pants")),
    "shorts": (("shorts",), ("shorts", "knee-length shorts", "bermuda shorts", "short pants")),
    "skirt": (("skirt", "short skirt"), ("skirt", "knee-length skirt", "pleated skirt", "short skirt")),
    "long skirt": (("long skirt",), ("long skirt", "maxi skirt", "ankle-length skirt")),
    "sneakers": (("sneakers",), ("sneakers", "trainers", "running shoes", "sports shoes", "tennis shoes", "shoes")),
    "leather shoes": (("leather shoes",), ("leather shoes", "dress shoes", "loafers", "shoes")),
    "boots": (("boots",), ("boots", "high boots", "ankle boots", "wellies")),
    "sandals": (("sandals",), ("sandals", "open shoes", "flip-flops", "strappy sandals")),
    "high heels": (("high heels",), ("high heels", "heels", "high-heeled shoes", "pumps")),
    "flats": (("flat shoes",), ("flat shoes", "flats", "ballerinas", "slip-on shoes")),
    "backpack": (("backpack",), ("backpack", "rucksack", "school bag", "knapsack")),
    "shoulder bag": (("shoulder bag",), ("shoulder bag", "messenger bag", "cross-body bag", "satchel")),
    "handbag": (("handbag",), ("handbag", "purse", "ladies' bag", "hand bag")),
    "tote bag": (("tote bag",), ("tote bag", "large bag", "cloth bag", "shopper")),
    "suitcase": (("suitcase",), ("suitcase", "trolley case", "rolling suitcase", "travel case")),
    "shopping bag": (("shopping bag",), ("shopping bag", "paper bag", "carrier bag", "plastic bag")),
    "cap": (("cap",), ("cap", "baseball cap", "peaked cap", "ball cap")),
    "hat": (("hat",), ("hat", "wide-brimmed hat", "sun hat", "floppy hat")),
    "beanie": (("beanie",), ("beanie", "woolly hat", "knit cap", "winter hat")),
    "helmet": (("helmet",), ("helmet", "bike helmet", "cycling helmet")),
    "headscarf": (("headscarf",), ("headscarf", "hijab", "head covering")),
    "scarf": (("scarf",), ("scarf", "neck scarf", "woollen scarf", "shawl")),
    "face mask": (("face mask",), ("face mask", "surgical mask", "mask")),
    "headphones": (("headphones",), ("headphones", "over-ear headphones", "headset")),
    "tie": (("tie",), ("tie", "necktie")),
    "belt": (("belt",), ("belt", "waist belt")),
    "umbrella": (("umbrella",), ("umbrella", "parasol", "brolly")),
    "phone": (("phone",), ("phone", "mobile phone", "smartphone", "cell phone")),
    "cup": (("cup", "coffee cup"), ("coffee cup", "paper cup", "takeaway cup", "hot drink")),
    "glasses": (("glasses",), ("glasses", "spectacles", "eyeglasses", "dark-rimmed glasses")),
    "sunglasses": (("sunglasses",), ("sunglasses", "dark glasses", "shades")),
}
"""Thing: (studio words, street words)."""

PLURAL = frozenset({
    "trousers", "jeans", "sweatpants", "leggings", "shorts", "sneakers", "leather shoes", "boots", "sandals",
    "high heels", "flats", "headphones", "glasses", "sunglasses",
})  # fmt: skip
"""Things that take no article, and "a pair of"."""

VAGUE_TYPES: dict[str, Words] = {
    "upper": ("top", "piece of clothing on top", "upper garment"),
    "outer": ("some sort of jacket", "outer layer", "outerwear garment"),
    "lower": ("bottoms",),
    "shoes": ("shoes", "footwear"),
    "bag": ("bag", "some kind of bag", "bag of some sort"),
    "headwear": ("hat", "something on the head", "head covering"),
}
OUTER = frozenset({"jacket", "blazer", "puffer jacket", "coat", "cardigan"})
TYPE_NEIGHBOURS: dict[str, Words] = {
    "t-shirt": ("polo shirt",), "polo shirt": ("t-shirt",), "shirt": ("jacket",), "sweater": ("hoodie",),
    "hoodie": ("sweater",), "jacket": ("coat", "hoodie"), "coat": ("jacket",), "blazer": ("jacket",),
    "puffer jacket": ("jacket",), "cardigan": ("sweater",), "trousers": ("jeans",), "jeans": ("trousers",),
    "sweatpants": ("trousers",), "leggings": ("trousers",), "sneakers": ("leather shoes",),
    "leather shoes": ("sneakers",), "shoulder bag": ("handbag",), "handbag": ("shoulder bag", "tote bag"),
    "tote bag": ("handbag",), "beanie": ("cap",), "cap": ("hat",),
}  # fmt: skip
"""What a careless describer takes a thing for."""

PATTERNS: dict[str, tuple[Words, Words]] = {
    "striped": (("striped",), ("striped", "stripy", "banded", "horizontally striped")),
    "checked": (("checked",), ("checked", "plaid", "chequered", "tartan")),
    "dotted": (("dotted",), ("dotted", "polka-dot", "spotted")),
    "colour-block": (("two-coloured",), ("two-tone", "colour-block", "two-coloured")),
}
GRAPHICS = ("logo", "print", "graphic", "design", "emblem")

SUBJECTS: dict[tuple[str, str], tuple[Words, Words]] = {
    ("man", "child"): (("boy",), ("boy", "little boy", "young boy", "small boy", "male child")),
    ("woman", "child"): (("girl",), ("girl", "little girl", "young girl", "small girl", "female child")),
    ("man", "adult"): (("man",), ("man", "guy", "gentleman", "male", "adult man", "fellow", "bloke")),
    ("woman", "adult"): (("woman",), ("woman", "lady", "female", "adult woman")),
    ("man", "elderly"): (("old man",), ("elderly man", "older man", "old gentleman", "senior man", "aged man")),
    ("woman", "elderly"): (("old woman",), ("elderly woman", "older lady", "old lady", "senior woman", "aged woman")),
}
NEUTRAL_SUBJECTS = ("person", "pedestrian", "individual")
CHILD_SUBJECTS = ("child", "kid")
BUILDS: dict[str, tuple[Words, Words]] = {
    "slim": (("slim",), ("slim", "thin", "slender", "skinny")),
    "heavy": (("heavy",), ("stout", "heavy-set", "plump", "stocky", "large")),
}
VIEW_PHRASES: dict[str, Words] = {
    "front": ("facing the camera", "walking towards the camera", "seen from the front", "coming this way"),
    "back": ("seen from behind", "walking away from the camera", "with the back turned to the camera", "heading off"),
    "left": ("seen from the side", "walking to the left", "in profile", "passing by"),
    "right": ("seen from the side", "walking to the right", "in profile", "passing by"),
}
