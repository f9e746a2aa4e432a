# ruff: noqa: E501
"""A sixth set, by someone who has typed and answered for a family practice: chats, call logs, letters, lists.

Written blind, with people of Wales, Scotland, the American South, Bavaria, Andalusia, Mexico, Lithuania, Turkey, the
Punjab, Korea, Ethiopia and Brazil, names with particles, and a booking system that prints surnames in capitals.
Every person, number and address is invented.
"""

from privacy.unseen.people import Locale

PEOPLE = [
    # Wales
    Locale(
        "en",
        [
            "Angharad", "Dai", "Ianto", "Myfanwy", "Eluned", "Tegwen", "Geraint", "Meirion", "Non", "Blodwen", "Idris",
            "Heledd", "Emrys", "Ceri", "Ivy", "Gethin", "Sioned", "Deiniol", "Nest", "Merfyn", "Hefin", "Mair Elin",
        ],
        [
            "Gittins", "Bebb", "Havard", "Prosser", "Parry-Gwynne", "Vaughan-Thomas", "Maddocks", "Probert", "ap Gwilym",
            "Tudor", "Penry", "Beynon", "Trahaearn", "Mostyn", "Treharne", "Games", "Wogan", "Hopkin-Morgan", "Eynon",
            "Bellis",
        ],
        ["Llanidloes", "Tywyn", "Pontypridd", "Bala", "Machynlleth", "Mold", "Barry", "Neath"],
        ["# Heol y Bryn", "# Chapel Terrace", "Tŷ Gwyn, # Pen-y-lan Road", "# Stryd Fawr", "Flat 2, # Marine Parade"],
        ["07### ### ###", "029 20## ####", "(01654) ######", "+44 (0)7### ######"],
        ["CF## #@@", "LL## #@@", "SY## #@@", "SA# #@@"],
        ["CX## @@@", "CA##@@@"],
    ),
    # Scotland
    Locale(
        "en",
        [
            "Catriona", "Hamish", "Eilidh", "Fergus", "Morag", "Lachlan", "Shona", "Senga", "Shug", "Mhairi", "Ruaridh",
            "Isla", "Murdo", "Kirsty", "Heather", "Glen", "Iona", "Effie", "Torquil", "Innes", "Wattie", "Elspeth",
        ],
        [
            "MacAskill", "McGlashan", "MacGillivray", "Auchterlonie", "Colquhoun", "Farquharson", "Dalgleish", "Menzies",
            "Urquhart", "Strachan", "Begbie", "Rankine", "Leith-Buchanan", "Tulloch", "Sproat", "Ogilvie-Grant",
            "Gilchrist", "McCorquodale", "O'Hare", "Cruickshank", "Bain",
        ],
        ["Pitlochry", "Cumbernauld", "Wick", "Ayr", "Lerwick", "Crieff", "Stornoway", "Nairn"],
        ["# Loch Street", "Flat 2/1, # Kelvin Gardens", "# Kirk Wynd", "#b Harbour Brae", "# Dunvegan Place"],
        ["07### ######", "0131 ### ####", "01### ######", "+447#########"],
        ["EH## #@@", "G## #@@", "IV# #@@", "KW# #@@"],
        ["S@## @@@", "S@##@@@"],
    ),
    # The American South
    Locale(
        "en",
        [
            "Billie Jo", "Bubba", "LaQuita", "Otis", "Dixie", "Mary Alice", "Tallulah", "Cletus", "Jolene", "Opal",
            "Cornelius", "Beulah", "Raylene", "Trey", "Magnolia", "Pearl", "Earlene", "Precious", "Shelby", "Royce",
            "Loretta", "Cash", "Jedidiah", "Junior",
        ],
        [
            "Pruitt", "Ledbetter", "Culpepper", "Broussard", "Crump", "Tubbs", "Moody", "Battle", "Self", "Hatcher",
            "Calhoun", "St. Romain", "Fontenot", "Gaines", "Sparks", "Love", "Hinson", "Mayfield", "Tidwell", "Outlaw",
            "Bledsoe", "LeBlanc", "Beauregard-Hill",
        ],
        ["Tupelo", "Macon", "Valdosta", "Natchez", "Hot Springs", "Selma", "Opelousas", "Enterprise"],
        ["#2 Pecan Grove Ln", "#10 County Road 14", "Lot #, Magnolia Mobile Park", "#7 MLK Blvd Apt C", "P.O. Box #1"],
        ["(###) 555-01##", "###-555-01##", "1-###-555-01##", "### 555 01##"],
        ["3####", "3####-####", "7####"],
        ["@@@ ###", "### @@@", "@@@####"],
    ),
    # Bavaria
    Locale(
        "de",
        [
            "Xaver", "Vroni", "Korbinian", "Leni", "Sepp", "Walburga", "Alois", "Kreszenz", "Ludwig", "Burgi", "Quirin",
            "Magdalena", "Benedikt", "Rosmarie", "Wiggerl", "Hedwig", "Zenzi", "Gustl", "Ottilie", "Kilian",
        ],
        [
            "Moosbauer", "Huber-Loibl", "Gschwendtner", "Wimmer", "Obermaier", "von Perfall", "Zirngibl", "Niedermayr",
            "Stadler", "Eichinger", "Großkopf", "Fürst", "Kirchmair", "Angerer", "Hofstetter", "Ostermeier", "Sterr",
            "Lechner", "Sommer", "Süß",
        ],
        ["Rosenheim", "Landshut", "Füssen", "Garmisch-Partenkirchen", "Deggendorf", "Mühldorf am Inn", "Erding"],
        ["Kirchplatz #", "Maximilianstr. #a", "Am Kreuzberg #", "Isarweg #", "Obere Gasse #"],
        ["+49 151 ########", "089 / ######", "08031 #####", "0172-#######"],
        ["8####", "9####", "D-8####"],
        ["RO-@@ ###", "LA @ ####", "FÜS-@@ ##"],
    ),
    # Andalusia
    Locale(
        "es",
        [
            "Curro", "Lola", "Triana", "Inmaculada", "Manuela", "Antoñita", "Cayetano", "Encarnación", "Fermín", "Reme",
            "Jacinto", "Toñi", "Virtudes", "Salvador", "María del Mar", "Candela", "Ginés", "Azahara", "Estrella",
            "Araceli", "Custodio", "Maribel",
        ],
        [
            "Heredia Jiménez", "Cortés", "Amaya", "de los Reyes", "Ruiz-Berdejo", "Benítez", "Bermúdez", "Carmona",
            "Baena", "de la Rosa", "Montoya", "Zambrano", "Pineda", "Vílchez", "Arjona", "Lebrón", "Gallardo", "Maya",
            "Cabello", "Bueno", "del Pozo", "Utrera",
        ],
        ["Écija", "Jaén", "Ronda", "Motril", "Jerez de la Frontera", "Lucena", "Almuñécar", "Cabra"],
        ["C/ Azucena #", "Avda. de Andalucía #, 3º C", "Plaza de los Naranjos #", "Callejón del Agua #, bajo"],
        ["6## ## ## ##", "954 ## ## ##", "+34 7## ### ###", "0034 6########"],
        ["41###", "18###", "23###"],
        ["#### @@@", "####-@@@"],
    ),
    # Mexico
    Locale(
        "es",
        [
            "Chuy", "Lupita", "Memo", "Itzel", "Citlali", "Xóchitl", "Refugio", "Eusebio", "Yadira", "Socorro", "Efraín",
            "Maricela", "Cuauhtémoc", "Ofelia", "Tonatiuh", "Nayeli", "Leobardo", "José Luis", "Esperanza", "Beto",
            "Concepción", "Nacho", "Dulce", "Ángel",
        ],
        [
            "Zepeda", "Ochoa", "Villaseñor", "Cervantes Loera", "Magaña", "Huerta", "Covarrubias", "Ayala", "Canul",
            "De la Garza", "Orozco", "Santillán", "Barragán", "Ponce de León", "Nava", "Tafoya", "Monroy",
            "Sánchez-Mejorada", "Bravo", "Rentería", "Cisneros", "Poot",
        ],
        ["Zapopan", "Tepic", "Irapuato", "San Luis Potosí", "Oaxaca", "Celaya", "Uruapan", "Puebla"],
        ["Av. Juárez #", "Calle Hidalgo # int. 4", "Privada Las Flores #", "Cerrada del Pozo # Col. Centro"],
        ["+52 33 #### ####", "55 #### ####", "443 ### ## ##", "044 55 ########"],
        ["#####", "44###"],
        ["@@@-##-##", "@@@-###-@"],
    ),
    # Lithuania
    Locale(
        "en",
        [
            "Rūta", "Mindaugas", "Eglė", "Vytautas", "Jurgita", "Kęstutis", "Aušra", "Gintaras", "Živilė", "Algirdas",
            "Daiva", "Dovydas", "Ona", "Saulius", "Rasa", "Jonas", "Milda", "Žygimantas", "Giedrė", "Birutė", "Arvydas",
            "Šarūnas",
        ],
        [
            "Kazlauskas", "Petrauskienė", "Žukauskaitė", "Butkus", "Stankevičius", "Urbonas", "Jankauskaitė", "Vaitkus",
            "Grigaitė", "Mažeika", "Rimkutė", "Šimkus", "Balčiūnas", "Černiauskienė", "Dambrauskas", "Norkus",
            "Žemaitis", "Paulauskas", "Gudaitė", "Lukošius",
        ],
        ["Panevėžys", "Alytus", "Šiauliai", "Marijampolė", "Utena", "Palanga", "Telšiai"],
        ["Vilties g. #-12", "Liepų g. #", "Taikos pr. #", "Ežero g. #A"],
        ["+370 6## #####", "8 6## #####", "+3706#######"],
        ["LT-#####"],
        ["@@@ ###"],
    ),
    # Turkey
    Locale(
        "en",
        [
            "Ayşe", "Emine", "Gökhan", "Şule", "Oğuzhan", "Hatice", "Kemal", "Zeynep", "Cem", "Tuğba", "Serkan",
            "Nurcan", "Barış", "Deniz", "Elif", "Fikret", "Gül", "Hakan", "Yasemin", "Ece", "Orhan", "Sevgi", "Volkan",
        ],
        [
            "Şahin", "Korkmaz", "Çelik", "Yavuz", "Özdemir", "Güneş", "Toprak", "Aksoy", "Demirtaş", "Karabulut",
            "Uçar", "Bozkurt", "Öztürk", "Tekin", "Kaplan", "Şimşek", "Ünal", "Topçu", "Arslanoğlu", "Gündüz", "Can",
        ],
        ["Bursa", "Kayseri", "Eskişehir", "Trabzon", "Kütahya", "Ordu", "Van", "Çanakkale"],
        ["Atatürk Cad. No: #", "Gül Sokak #/3", "Cumhuriyet Mah., # Sokak", "Barbaros Bulvarı #"],
        ["+90 53# ### ## ##", "0532 ### ## ##", "0(533) #######"],
        ["34###", "16###", "26###"],
        ["34 @@ ####", "16 @@@ ##"],
    ),
    # The Punjab
    Locale(
        "en",
        [
            "Gurpreet", "Manjit", "Balwinder", "Jaswant", "Simran", "Harbhajan", "Navjot", "Kulwant", "Amrit",
            "Parminder", "Jasleen", "Daljit", "Rupinder", "Tejinder", "Mandeep", "Sunny", "Lovepreet", "Kiran",
            "Bhupinder", "Satnam", "Nimrat", "Zeeshan", "Rukhsana", "Prince",
        ],
        [
            "Gill", "Dhaliwal", "Grewal", "Sidhu", "Bains", "Brar", "Toor", "Bhullar", "Randhawa", "Cheema", "Mann",
            "Virk", "Johal", "Aulakh", "Dhillon", "Singh Sekhon", "Kaur Bhatti", "Sohal", "Chahal", "Warraich", "Bajwa",
            "Purewal", "Deol",
        ],
        ["Amritsar", "Patiala", "Hoshiarpur", "Bathinda", "Moga", "Kapurthala", "Phagwara"],
        ["House No. #, Model Town", "# Guru Nanak Street", "# Ranjit Avenue", "H.No. #/B, Urban Estate Phase 2"],
        ["+91 94### #####", "0183 #######", "8#### #####", "+91-98########"],
        ["14####", "15# ###"],
        ["PB ## @ ####", "PB##@@####"],
    ),
    # Korea
    Locale(
        "en",
        [
            "Ji-woo", "Seo-yeon", "Min-jun", "Hye-jin", "Sung-ho", "Eun-ji", "Jae-hyun", "Soo-ah", "Dong-wook", "Yuna",
            "Kyung-soo", "Mi-sook", "Hyun-woo", "Bo-ra", "Tae-yang", "Young-ja", "Sun Hee", "Haneul", "In-su", "Chan",
            "Sora", "Jin",
        ],
        [
            "Kwon", "Baek", "Seo", "Ahn", "Noh", "Oh", "Moon", "Song", "Yoo", "Hwang", "Namgung", "Jeon", "Shim", "Bang",
            "Pyo", "Chae", "Gil", "Ryu", "Heo", "Kang-Miller",
        ],
        ["Daejeon", "Suwon", "Jeonju", "Incheon", "Gyeongju", "Mokpo"],
        ["# Sejong-daero", "Apt 504, # Hannam-dong", "# Toegye-ro 8-gil", "Unit 12B, # Olympic-ro"],
        ["010-####-####", "+82 10 #### ####", "02-###-####"],
        ["0####", "#####"],
        ["12@ ####", "### @ ####"],
    ),
    # Ethiopia
    Locale(
        "en",
        [
            "Abebe", "Tigist", "Selam", "Yohannes", "Hirut", "Dawit", "Bethlehem", "Mulugeta", "Almaz", "Getachew",
            "Tsehay", "Eyob", "Frehiwot", "Kidane", "Meron", "Solomon", "Worknesh", "Biniam", "Genet", "Tewodros",
            "Desta", "Hiwot", "Lulit",
        ],
        [
            "Tadesse", "Haile", "Gebremariam", "Wolde", "Bekele", "Alemu", "Mengistu", "Tesfaye", "Gebre-Egziabher",
            "Worku", "Asfaw", "Negash", "Kebede", "Demissie", "Ayalew", "Wolde-Giorgis", "Assefa", "Zewdie", "Lemma",
            "Tilahun", "Girma",
        ],
        ["Bahir Dar", "Mekelle", "Hawassa", "Jimma", "Gondar", "Dire Dawa", "Harar"],
        ["House #, Kebele 04", "Bole Road #", "# Churchill Avenue", "Woreda 3, House No. #"],
        ["+251 91# ######", "09## ######", "0911 ## ## ##"],
        ["1###", "####"],
        ["2-@#####", "AA 3-#####"],
    ),
    # Brazil
    Locale(
        "en",
        [
            "Thaís", "João", "Raimunda", "Luan", "Jussara", "Anderson", "Edivaldo", "Cauã", "Iracema", "Wellington",
            "Valdirene", "Zé", "Nilza", "Juninho", "Vitória", "Davi", "Rosângela", "Uesley", "Ana Paula", "Tainá",
            "Cícero", "Bia",
        ],
        [
            "dos Santos", "da Silva Prado", "Nascimento", "Cavalcanti", "Moura", "de Souza", "Teixeira", "Carvalho",
            "Figueiredo", "Assis Brandão", "Quadros", "Bezerra", "Leitão", "Rocha", "Guimarães", "Vasconcelos",
            "da Conceição", "Peixoto", "Coelho", "Paixão", "Brasil",
        ],
        ["Olinda", "Londrina", "Niterói", "Pelotas", "Natal", "Sorocaba", "Juiz de Fora", "Salvador"],
        ["Rua das Palmeiras, #", "Av. Beira-Mar, # ap 301", "Travessa São Jorge, #", "R. Sete de Abril #"],
        ["+55 11 9####-####", "(51) 9####-####", "21 9########"],
        ["#####-###", "########"],
        ["@@@#@##", "@@@-####"],
    ),
    # Names with particles, from several shores
    Locale(
        "en",
        [
            "Pieter", "Annelies", "Faisal", "Noor", "Anouk", "Jean-Luc", "Hendrik", "Nur Aisyah", "Fiachra", "Bríd",
            "Caoimhe", "Maghnus", "Salvatore", "Fiammetta", "Siti", "Willem", "Beatrix", "Sinéad", "Omar", "Huda",
        ],
        [
            "van der Westhuizen", "de Haan", "van den Berg", "bin Yusof", "binti Rahman", "al-Khatib", "El Masri",
            "Ó Súilleabháin", "O'Shaughnessy", "Mac Giolla", "Ní Dhomhnaill", "De Luca", "D'Angelo", "ter Horst",
            "FitzGibbon", "le Roux", "du Plessis", "St John-Mildmay", "O’Malley", "van 't Hof",
        ],
        ["Galway", "Enschede", "Stellenbosch", "Ipoh", "Alkmaar", "Tralee", "Cork"],
        ["Kerkstraat #", "# Jalan Merdeka", "# Shop Street", "Oude Gracht #bis", "#A Mountain View Drive"],
        ["+31 6 ########", "08# ### ####", "+27 82 ### ####", "01#-### ####", "00353 87 #######"],
        ["#### @@", "H91 @#@#", "#####"],
        ["@@-###-@", "### G ####"],
    ),
    # As the booking system prints them
    Locale(
        "en",
        [
            "Rosemary", "Clive", "Petra", "Nkechi", "Leopold", "Hyacinth", "Dorcas", "Bill", "Art", "June", "Sandy",
            "Wilf", "Winston", "Marguerite", "Faith", "Hope", "Cedric", "Bunty", "Cosmo", "Ngozi",
        ],
        [
            "TATTERSALL", "MWANGI", "SMALLBONE", "BEST", "O'GRADY", "VAN DYKE", "GOODENOUGH", "HORNIMAN", "BIRTWISTLE",
            "MACNAUGHTON", "SHUFFLEBOTTOM", "PARTRIDGE-HALL", "DA COSTA", "CHURCH", "FROST", "ALDERTON", "ONYANGO",
            "CROSS", "McVEIGH", "TWELVETREES",
        ],
        ["Tewkesbury", "Diss", "Ware", "Reading", "Sandwich", "Louth", "Deal"],
        ["# Tinkers Lane", "The Old Forge, # Nether Street", "Flat #, Coronation House", "#-# Market Hill"],
        ["07###-######", "01### ######", "(020) #### ####", "07### ###  ###"],
        ["GL## #@@", "IP## #@@", "RG# #@@", "CT## #@@"],
        ["@@## @@@", "@### @@@"],
    ),
]

TEMPLATES = [
    # Chats
    "hiya its {first} here, {last} with the two spaniels if you remember me lol. «rash» on my «shins» since the weekend, «itchy» not «painful», got «hydrocortisone 1%» off the chemist. can {doc} look at a photo",
    "hey, {rel} typing for {first} bc {first} cant hold the phone. «stung by a wasp» «10 minutes» ago, «lips swelling», we have an «EpiPen» do we use it?? we are at {street}",
    "morning :) name {first} {last} dob {dob} no. {phone}. pls can i have my «Yasmin» again, no «migraine», «BP 118/72» on the machine in your waiting room",
    "its me again, {last}. i told the girl on the desk and i told {rel} at the chemist: i am «allergic to penicillin» and they gave me «co-amoxiclav». feeling «breathless»",
    "hi can u move my «smear» from {daymonth}, im on my «period». thx {first} x ({phone})",
    "u there? {first} {last}, {town}. my «Mirena» strings are gone, cant feel them, bit of «spotting». dr {doc} put it in on {date}",
    "not sure who reads these. i am the mum of {first} {last}, {dob}. «temp 39.6», «purple spots» on «tummy». {rel} next door did the «glass test»",
    "yo need a sick note for {other} logistics, «bad back» again, same as last time in {month}. {first}, {mrn} i think is my number",
    "{first} here!! did {rel} ring u? i asked not to. please take {rel} off as my contact and put {rel2} {phone}. and yes still «vomiting»",
    "sorry to bother you its {rel} {last}, {first}'s other half. since «ramipril» went up to «10 mg» there is this «dry cough» all night, neither of us sleep",
    "can i send «stool photos» here or to {email}? its «Bristol type 7», «mucus», no «blood». {first} {last}",
    "Hello doctor. I am {first} from {town}, staying with my cousin {rel} in {othertown}. I had «dengue» before and now same «bone pain», «fever 39» «4 days». WhatsApp {phone}.",
    "my profile is {url} if you need to see its really me, {first}, i lost my phone. i was on «sertraline 50» and stopped «cold turkey», now «brain zaps»",
    "help the link you sent just says blocked for {ip}. i only wanted the «PHQ-9» form. patient {last} {post}",
    "pls dont write my full name, {initials} is enough, its about the «chlamydia» result from {date}, text {phone}",
    "ok so {rel} and {rel2} both have «hand, foot and mouth» and now {rel3} wont drink. «2 wet nappies» since breakfast. is it {doc} on today?? ive got «Calpol» and «Dioralyte» in. {first} {last}",
    "me: {first}\nmoved from {othertown} to {street} {post}\nold doctor: {doc}\nmeds: «levothyroxine 75», «Laxido», «vitamin D»\nnew number {phone}",
    "Hi {rel}, thanks for squeezing {first} in yesterday. The «nebuliser» did the trick, «peak flow 310» this morning. Dr {doc} mentioned «Symbicort», where do we collect? Best, {rel2} {last}",
    # Voicemail
    "Voicemail 0:48, transcribed by machine. Hello this is {first} {last}, that's {last}, um, date of birth {dob}. I was told to ring about my «INR», it was «4.7» and I take «warfarin 3 mg». You can get me on {phone}. Bye. Bye.",
    "VM from {rel}, daughter-in-law of {last}: 'the «Zimmer frame» you sent is too short, and could Sister {doc} ring back before teatime, {phone}, thank you, bye bye now'",
    "Message left «08:12»: it's {other} from {other2} Brothers Scaffolding, we've an employee {first} {last} says they're under you with «vibration white finger», what are they safe to lift, number's {phone}.",
    "[inaudible] ... {last}, {post}, no not that one, {first} ... I'll be {old} in the summer ... «legs like balloons» ... the «furosemide» makes me run ... is {doc} in today or is it the young one, {doc2}",
    "Voicemail. Hi, pharmacist {rel} {other} at {othertown} Pharmacy. Script for {first} {last} says «methotrexate 10 mg» daily, I hope you meant «weekly». Please ring {phone} before I give anything out.",
    # Triage and call logs
    "CALL LOG {date} / caller {rel} {last} (spouse) / pt {first} {last} DOB {dob} / tel {phone} / «FAST positive», «left arm drift», onset «35 minutes» / ambulance sent to {street}, {town}",
    "{last}, {first}. Rang «07:55». «Chest tightness» on the stairs, «GTN x2» no help. Advised ambulance, declined, will get {rel} to drive. Rang {rel}, on the way. Discussed with Dr {doc}.",
    "TRIAGE amber. Baby of {first} {last}, «9 days old», «jaundiced to knees», «poor feeding». HV {other} weighed on {daymonth}: «down 11%». To be seen by {doc} at «11:40».",
    "Out-of-hours slip: {mrn} {last}. «D&V x6», «CBG 17.2», on «Jardiance» - told to stop, «sick day rules». Partner {rel} wrote it down. Call closed by {doc}.",
    "Caller would not give a name; line shows {phone}; later said {first}, of {town}. «Took 24 paracetamol» at «2 am». Friend {rel} with caller. Police ref {account}.",
    "2nd call, {rel2} this time ({rel} had gone to work). Patient {first} {last} still «vomiting bile», «not passing wind», «distended». Previous «Hartmann's» under Mr {doc}. Vehicle on drive {plate} for the crew to look for.",
    # Letters
    "Dear Dr {doc},\nRe: {last}, {first} - {dob} - {street}, {town} {post} - {nhs}\nMany thanks for seeing this retired lorry driver with «frank haematuria» and a «palpable bladder». «PSA 14.3». Takes «tamsulosin». I have told {first} and {rel} that it goes on the «two week wait».\nYours sincerely\n{rel2} {doc2}",
    "Thank you for referring {last} to the outreach hand clinic at {hospital}. «Dupuytren's contracture» of the «ring finger», «MCP 40 degrees», «table top test» positive. I have listed for «needle fasciotomy» with Miss {doc} on {date}.",
    "To {other} & Daughters Bakery: {first} {last} has «baker's asthma» («FEV1 61%») and should not work at the ovens from {date}. Dictated by {doc}, typed by {rel}.",
    "Dear {first},\nYour «X-ray» of {daymonth} shows a healing «Jones fracture». Keep the «boot» on «four more weeks». The next nurse-led clinic is at {hospital}; if you cannot come, phone {phone}.\nWith best wishes,\n{rel} (secretary to Mr {doc})",
    "cc: Dr {doc}, {othertown} Surgery; Mrs {other}, specialist nurse; patient.\nDiagnosis: «Barrett's oesophagus, Prague C2M4». Plan: «omeprazole 40 mg bd», repeat scope in «2 years». {last} was accompanied by {rel}, who asked about «Gaviscon».",
    "ENT, {othertown} Royal, clinic of {date}, typed {date2}. {first} {last} (hosp no {mrn}) has «Ménière's disease» on the right. «Weber to left», «Rinne positive», «Dix-Hallpike negative». «Betahistine 16 mg tds». Discharged to {doc}.",
    "Dear colleague, I'd be grateful for a second opinion on {first}, known to everyone as {rel}, surname {last}, who works at the quarry outside {othertown}. «Wells score 3», «CTPA clear», yet «sats 89%». Mobile {phone}. Driving licence {licence} handed in pending «sleep study»; «Epworth 19».",
    "Rheumatology, dictated not signed. {last} tells me the «sulfasalazine» made matters worse. «Schirmer's test 3 mm», «anti-Ro», «Raynaud's» in both hands. Impression «Sjögren's». Shared care with Dr {doc} and Dr {doc2} at {hospital}; daughter {rel} to give the «Benepali» pens. {other} / {rel2}",
    # SOAP
    "S: {first} says «knee gives way» on stairs since football for {othertown} in {month}. O: «Lachman positive», «McMurray negative», «effusion ++». A: «ACL rupture». P: «MRI», refer {doc}, «naproxen 500». Off work till {date}.",
    "S - here with {rel} (mother). «Bedwetting», new school {othertown} Juniors, dad moved out in {month}. O - «dip NAD», «abdomen soft», «BMI 50th centile». A - «secondary enuresis». P - «alarm», HV team, see Dr {doc} {daymonth}.",
    "S/ {last}, {oldword}, lives with {rel}. «Off legs». O/ «HR 44», «BP 92/50», «Mobitz II». A/ «heart block». P/ «stop bisoprolol», bed found at {othertown} General.",
    "S: «Low mood», «early waking», {rel} has left. O: «PHQ-9 19», «GAD-7 15», no «suicidal plans». A: «moderate depression». P: «mirtazapine 15 mg nocte», counsellor {other} on {daymonth}; crisis plan saved under {mrn}.",
    "S) «tingling» «thumb to ring finger» at night, types all day for {other} Solicitors. O) «Tinel's +», «Phalen's +», «thenar wasting». A) «CTS». P) «splint», letter to employer, {initials} happy.",
    "Subj: «hoarse» «6 weeks», smokes «20/day». Obj: «no nodes», «chest clear». Ass: «?laryngeal ca». Plan: «2WW» to Ms {doc}. {last} prefers letters c/o {rel} at {street}.",
    # Pharmacy
    "Query from {othertown} Chemist re {last} {first}, {dob}: «apixaban 5 mg» and «clarithromycin» together, ok? Pharmacist {other}. Reply to {email}.",
    "We are out of «Fostair 100/6», can we give «Luforbec»? Pt {first} {last}, NHS {nhs}. Collects in person or sends {rel}. Ta, {rel2} (dispenser)",
    "Blister packs for {last}, {old}: please move «furosemide» to «8 am» and take out «amitriptyline». Delivery driver {rel} says nobody answered at {street} on {daymonth}.",
    "Controlled drug collected on {date} by {rel} {other} showing driving licence {licence} for patient {first} {last}: «MST Continus 30 mg» x «56».",
    "Hi {doc}, {last} has had «Ventolin» x «5» since {month} and no «Clenil» at all. Shall I book an «asthma review»? {rel}, practice pharmacist",
    # School nurse
    "School nurse, {othertown} High: {first} {last}, year 9, «fainted» in assembly. «BM 3.1», «Dexcom» alarm was off, sensor {device}. Gave «glucose tablets». Teacher Mr {other} stayed, {rel} (nan) collected.",
    "{first} brought to me by friend {rel}. Marks on «left forearm», «superficial cuts», «old and new». Home: mum, stepdad {rel2}, two little ones. Told safeguarding lead Mrs {doc}. Mum's no. {phone}",
    "Head lice letter went home with {first}, {rel} and {rel2} on {daymonth}. {first}'s mum says they've tried «Hedrin» and «wet combing».",
    "Imms session {date}: {last}, {first} - «HPV» declined, form signed by {rel}; «MenACWY» «left deltoid» given. Sore arm later, seen by Nurse {doc}.",
    # Social work
    "Summary for panel. {first} {last}, aged {old}, tenancy at {street}, {town}, {post}. Neighbour {rel} holds the key. «Rockwood 7», «MoCA 14/30», «Barthel 8/20». {rel2}, who has power of attorney, can be reached at {email}. Worker: {other}.",
    "Visit with PC {other} on {date}. Flat cold, no food. {first} said that {rel} takes the bank card (account {account}). «Bruise» on the «upper arm», «weight 41 kg», «MUST 3». Strategy meeting chaired by {doc}.",
    "Foster carer {rel} {other} reports that {first} wakes «screaming» and has «soiled» twice since contact with father at the centre in {othertown}. «Melatonin 2 mg» no use. Reviewing officer: {doc}.",
    "Carer's assessment: {rel} looks after {first} («Lewy body dementia», «hallucinations») alone. Sleeps «3 hours». Agrees to respite at {hospital} from {date}. Social security no. {ssn}.",
    # Physiotherapy
    "Physio: R «frozen shoulder», «ER 10°», «Hawkins-Kennedy» equivocal, «Oxford Shoulder Score 21». {first} swims at the baths in {town}. Given «pendulum» and «wand» exercises. R/v with {rel}, {date}.",
    "«LBP» «6/52», «SLR 40 L», «EHL 4/5», «Lasègue +», «Oswestry 46%». Drives for {other} Coaches, vehicle {plate}. ?«disc». Ring {last} {phone} once Mr {doc} has seen the «MRI».",
    "Home visit, {first} {last}, {old} y/o, «#NOF» {daymonth}, «hemiarthroplasty». «TUG 41 s», «Tinetti 14/28». Steps with «gutter frame» and help of {rel}. Rail wanted at {street}. {doc}, band 6",
    "Vestibular rehab: {last} did «Brandt-Daroff» at home, «Romberg steady», «Fukuda» drifts R. {rel} filmed it on {rel2}'s phone.",
    # Laboratory
    "LAB RING BACK: {mrn} {last} «K+ 6.8» not «haemolysed», phoned «17:25» by {rel} in biochem to {doc}. Patient contacted via {rel2} {phone}, sent in to {othertown} General.",
    "Sample labelled {first} {other} but form says {first} {last}, {dob}. «Group and save» rejected. Please re-bleed. Lab ref {account}.",
    "Micro on phone: «Campylobacter» in stool of {last}, {post}; ate at the wedding of {rel} and {rel2} in {othertown}. Environmental health, {other}, informed.",
    "tell {first} «TSH 0.01», needs «carbimazole», «sore throat» = stop and ring. left msg w {rel} to call dr {doc} back",
    # Insurers and employers
    "Claim {account}, policy {plan}, life assured {first} {last}. Q4: has your patient ever had «angina», «TIA» or «Raynaud's»? Answer: see letter of Dr {doc}, {date}. Q5: alcohol «12 units/week».",
    "Occupational health report on {last}, {first}, employee of {other} Poultry Ltd, payroll {mrn}: «Q fever» «titre 1:640». Fit for «light duties» from {date}. Copy to line manager {rel} {other2}.",
    "The assessor, {doc}, called at {street} on {date}; {rel} was present. {last} can walk «50 m», cannot «lift arms above shoulder». SSN {ssn} checked against card.",
    "Member {plan}. Denied: «Humira 40 mg» needs prior auth. Please fax «DAS28 5.9» and note from {doc}. Subscriber {rel} {last}, dependent {first}. Portal login seen from {ip}.",
    "Motor claim: our insured {first} {last}, vehicle {plate}, VIN {vin}, struck near {town} on {date}. «Whiplash grade II», «Canadian C-spine» rule negative. Other driver: {other}.",
    # Spanish
    "hola buenas soy {first}, hija de {rel} {last}. mi madre tiene el «azúcar en 380» y está «muy dormida», le toca «metformina 850». vivimos en {street}. qué hago??",
    "Buenos días, le escribo por mi niño {rel}, de «2 años», lleva «tres días con diarrea» y «no orina». No encuentro la tarjeta, el número creo que es {mrn}. {first} {last}, móvil {phone}",
    "oye {rel}, dile al dr {doc} q la pastilla «enalapril» me da «tos seca», q si la cambio por «losartán». soy {first}, de {town}",
    "Paciente {last}, {first}, nac. {dob}. Motivo: «dolor en fosa ilíaca derecha», «Blumberg positivo», «fiebre 38,2». Acompaña {rel}. Se deriva a {hospital}. Fdo. Dra. {doc}",
    "me llamo {first} {last} y en {mes} me pusieron el «DIU», desde entonces «sangro mucho». mi correo {email}. la matrona era {rel}",
    "mi suegro tiene {old} años, se llama {first}, «se cayó en el baño», «no apoya la pierna». está con mi cuñada {rel} en {town}. llamen al {phone} por favor",
    "Familia {last}: piden receta de «Sintrom 4 mg» y «Nolotil». Dirección {street}, {post} {town}. Recoge {rel}, vive enfrente.",
    # Nursing home lists
    "HANDOVER\n{first} - {old} - «DNACPR» - «Waterlow 22», turned «2 hourly»\n{rel} {other} - «PEG feed 60 ml/h», son {rel2} in on Sunday\n{rel3} {other2} - «new cough», «swab sent», Dr {doc} coming",
    "Nights: {last} up x4, «pad changed», «catheter bag 900 ml». {rel} unsettled, «lorazepam 0.5 mg» at «23:30» w good effect. {rel2} had a «skin tear» «L shin», «Steri-Strips». Meds keys with {rel3}.",
    "{rel}: «Abbey pain scale 8». {rel2}: «refusing fluids». New admission {first} {last}, {old} yrs, from {hospital}, «Parkinson's», «Madopar 62.5» strictly on time. NOK {rel3}, {phone}.",
    # Ambulance
    "ATMIST: {old} yo, fall «14:10», «L hip» «short and rotated»; «HR 104», «BP 98/60», «GCS 14»; «morphine 5 mg», «paracetamol 1 g IV». {first} {last}, {street}. Spare key with {rel}. Medic {other}.",
    "Crew to ED: found by the postman, {street}. Gave name as {first}, wallet has passport {licence} and a card reading {rel} {phone}. «BM 1.9», «Glucogel», then «GCS 15».",
    "RTC {town} bypass, car {plate}, driver {first} {last}, «walked from the car», «seatbelt mark», «Philadelphia collar». Passenger {rel} to {othertown} General by air.",
    # Questionnaires
    "Q7 Anything else we should know? - yes my dad {rel} and his brother {rel2} both had «Huntington's» and i havent told {rel3} yet. {first}",
    "Who lives with you? {rel}, {rel2} and the baby {rel3}. Occupation: welder at {other} Marine. Allergies: «latex», «kiwi», «Elastoplast». Signed {first} {last} {date}",
    "Reason for visit: «no erections» since the op. In case of emergency: {rel} {phone}. Do not post to {street}. Previous GP: {doc}, {othertown}.",
    "free text: The nurse called {rel} was lovely but Dr {doc} would not believe that «Depo-Provera» gives me «headaches». {initials}, {daymonth}",
    # Shorthand
    "pt {last} dna x2. tc {rel}: pt w/ {rel2} in {othertown} till {daymonth}. «rpt U&E», «eGFR 31», hold «metformin». {doc}",
    "{initials} «6/40», «PV spotting», «Rh neg». EPAU {daymonth} w sr {other}. ph {phone}",
    "d/w {doc}. «AF 140», «CHA2DS2-VASc 4», «HAS-BLED 2». start «Lixiana 60». pt + {rel} agree. bloods {date}.",
    "PPM chk: «Medtronic», serial {device}, «DDDR 60», «RV threshold 0.75 V». {last} {dob}. next {month}. {rel}, cardiac physiol.",
    "CPAP pt {first} {last}, unit {device}, «AHI 3.1», «mask leak». New mask posted {street} {post}. {rel}",
    "Pls scan: {last}_{first}_{mrn}.pdf, letter from {doc} ({date}) re «Osgood-Schlatter». {rel} on reception",
    # And the rest of the in-tray
    "Antenatal: {first} {last}, «G3P1», EDD {date}. FOB {rel} {other}. «Edinburgh score 14», «anti-D» given. Midwife {rel2}, {phone}. Last time «Kiwi delivery», baby {rel3}.",
    "Verified death of {last}, {old}, on {date}, present {rel} and {rel2}. 1a «Bronchopneumonia» 1b «Alzheimer's disease». Undertaker {other} & Co, {othertown}.",
    "Great-gran {rel} {last} is {oldword} and wants her ears done. «Olive oil drops» since {daymonth}, «wax ++», then «microsuction». Comes with {first}.",
    "DNA x1, text to {phone} bounced, letter to {street} returned. Looked at {url}, a {rel} {last} answered: has moved to {othertown}. «Depot» «paliperidone 100 mg» overdue «9 days». CPN {other}.",
    "Travel form: {first} {last}, passport {licence}, off with {rel} on {date}. «Yellow fever», «Japanese encephalitis» and «Malarone». No «egg allergy».",
    "Derm photo consult: {last}, {first}. «Herald patch», «Christmas tree pattern», «Wood's lamp» negative. «Pityriasis rosea». Reply to {doc} at {email}.",
    "Eye clinic: «Snellen 6/12 R», «iris» normal, «Amsler grid» wavy, «Eylea» no. «4» given by {doc}. {last} brought by {rel} from {town} in car {plate}.",
    "Paeds: {first} - «Denver II» normal, «Pierre Robin sequence», «Moro present». Weighed by {rel}. Mum {rel2} {last}, dad {rel3} {other}.",
    "Well {old} and still driving the tractor, says {rel}! {last} came for «B12 1 mg IM» and «shingles vaccine»; «white coat hypertension», home readings «138/70». Next jab with Nurse {doc} {date}.",
    "Interpreter {rel} {other} by phone for {first} {last}. «Night sweats», «weight loss 7 kg», uncle {rel2} treated for «TB» in {othertown}. «Mantoux 18 mm». TB nurse {doc} rings {phone} on {daymonth}.",
    "the letter says {typo}, its {last}, like on my card. and {first} with one spelling please. anyway the «coil» «string» is poking {rel} lol. when is dr {doc} in",
    "Transport booked for {last} ({typo} on the old list), {old}, «walks with a frame», «oxygen 2 L», pick up {street} {post}, drop {hospital}. Escort {rel}. Driver {other} has the door code from {rel2}.",
    "Works nights at {hospital}, hence the «vitamin D 18». {first} {last} asks if «Evra» or «Allegra» can be the cause of the «palpitations»; told by {rel} in the canteen that both are. «Holter» ordered, ring {phone}. {doc}",
]
