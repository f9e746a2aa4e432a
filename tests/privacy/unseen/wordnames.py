# ruff: noqa: E501
"""A set for what was missed most: names that are English words, bare ages, facilities, in dictated and chatty styles.

Written while a context layer was made and used to choose it: a development set, not a blind one. Every person is
invented.
"""

from privacy.unseen.people import Locale

PEOPLE = [
    Locale(
        "en",
        ["Summer", "Rusty", "Precious", "Winter", "Blessing", "Clay", "Misty", "Destiny", "Scout", "Reed", "Bonny", "Mercy"],
        ["Stone", "Salt", "Marsh", "Swift", "Frost", "Waters", "Field", "Banks", "Savage", "Moody", "Blunt", "Plant"],
        ["Deal", "Battle", "Settle", "Barking", "Reading", "Sandwich"],
        ["# Orchard Way", "# Kiln Lane", "Flat #, Tanner Court"],
        ["07### ######", "01### ######"],
        ["CT## #@@", "TN# #@@"],
        ["@@## @@@"],
    ),
    Locale(
        "en",
        ["Wren", "Sonny", "Sky", "Storm", "Duke", "Honor", "Royal", "Maverick", "Patience", "Sage", "Brook", "Forest"],
        ["Church", "Flood", "Crisp", "Bright", "Sharp", "Meek", "Best", "Gold", "Bird", "Wolf", "Rice", "Love"],
        ["Orange", "Buffalo", "Surprise", "Beaver", "Flint", "Hope"],
        ["#20 Pine Street", "#7 Quarry Rd"],
        ["###-555-01##", "(###) 555-01##"],
        ["#####"],
        ["@@@ ####"],
    ),
    Locale(
        "en",
        ["Nkechi", "Tariq", "Anoushka", "Wojtek", "Thandiwe", "Bronagh", "Kwabena", "Leilani", "Dragan", "Yuki"],
        ["Oyelaran", "Drummond", "Szymanski", "Hossain", "Featherstonehaugh", "Mbeki", "Ferreira", "Tanaka", "Popovic", "Gill"],
        ["Cleethorpes", "Walsall", "Kilmarnock", "Merthyr"],
        ["# Wharfedale Road", "# Chapel Hill"],
        ["07### ######", "+44 7### ######"],
        ["WS# #@@", "KA# #@@"],
        ["@@## @@@"],
    ),
]

TEMPLATES = [
    "ok so me and {rel} were on the trampoline and {rel2} landed on my «arm», its «bent» now and i feel «sick». mum is {rel3}, she is driving us",
    "not sure if this is the right number. {rel} next door found him, {first} i mean, on the «stairs», he is «breathing» but «wont wake up»",
    "Dictated not read. Thank you for seeing {first}, a retired joiner of {old} whose «knees» have troubled him. {rel}, his son, drives him. Kind regards, {doc}",
    "Bay 4 {last} «NBM» for theatre. Bay 5 {other} «IV antibiotics» day «2». Bay 6 {other2} awaiting «physio»",
    "can u tell {other} on reception that {first} {last} cant make it, «chest infection» again, on «doxycycline»",
    "WhatsApp from {rel}: {rel2} keeps «fainting», {rel2} says her «heart» is «racing», {rel2} is scared. we are outside {town} station",
    "Told by {first} that {rel} pushed her. «Bruising» over the «left flank». {rel} denies it. {first} wants to go home to {town}.",
    "great gran turned {old} on {daymonth}, she lives with {rel} and {rel2} and her «legs» are «swollen» and «weeping»",
    "my daughters name {rel} she 6 she have «spots» and «fever 39», doctor at {hospital} say wait but i not happy. {first}",
    "1) {last}: «potassium 6.1», repeat sent. 2) {other}: «falls», CT booked at {hospital}. 3) {other2} can go home, needs «TTOs».",
    "Spoke with {rel} again. {rel} feels {first} is more «muddled» since the «water tablets» went up. Will ask {doc} to visit.",
    "hey its {first} again lol. took {rel}s «co-codamol» by mistake, took «4». {rel} is with me. do i need to worry",
    "Paramedic note: pt {old}, lives alone, found by cleaner {other}. «FAST positive», onset «40 minutes» ago. Next of kin {rel} {last} in {othertown}.",
    "{first} here. {rel} bit me, the neighbours dog i mean {other}s dog, and my «hand» is «throbbing». tetanus was {month}",
    "Attended with key worker {other} and mother {rel}. {first} says «voices» tell him to hurt {rel2}. «Olanzapine» stopped {daymonth}.",
    "i live above the bakery in {town} with {rel}. my «stomach» hurts since «last night», {rel} thinks «appendix». call {rel} on {phone} not me",
    "Message taken by {other}: {first} rang at 0730, «waters broke», «38 weeks», going to {hospital}. Husband {rel} on way from {othertown}.",
    "Re {last}, {first}. Dr {doc} thinks «gout», Dr {other} thinks «septic arthritis». Joint «aspirated» {date}. {first} aware.",
    "hes {old} and still drives. name is {first}, surname {last}. «dizzy» getting up, on «ramipril» and «tamsulosin»",
    "thank you {other} for being kind yesterday when {rel} had the «seizure». {rel} is home now but «drowsy» and has a «rash» on his «back»",
]
