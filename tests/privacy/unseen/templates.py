# ruff: noqa: E501
"""Clinic notes, letters and chats with {slots} for identifiers and «terms» that must survive; written before any detector ran."""

TEMPLATES = [
    # nurses' and doctors' notes
    "Pt {first} {last}, DOB {dob}, MRN {mrn}. «54 yo» with «chest pain» for «3 days», worse on exertion. «BP 148/92», "
    "«HR 104», «SpO2 96%». Hx of «Crohn's disease» and «T2DM». On «metformin 500 mg BID».",
    "Mrs {last} rang from {town}. C/o «productive cough» and «fever 38.5» since {daymonth}. NKDA. Lives with her husband "
    "{rel}. Callback {phone}.",
    "TRIAGE: {last}, {first}. «pain 8/10» R flank radiating to groin, «nausea», no «haematuria». PMH «renal colic». "
    "GP Dr {doc}, {hospital}. NHS no {nhs}.",
    "Seen on {date} by Dr. {doc} for «shortness of breath». Started «furosemide 40 mg». «Ejection fraction» 35 %. Next "
    "review {date2}.",
    "{old} year old lady from {hospital}, fall from standing, «left hip pain», leg shortened and rotated. On «apixaban». "
    "Daughter {rel} present.",
    "26F «G2P1» at «34 weeks» with «headache» and «visual disturbance», «BP 162/104». Booked at {hospital}. Partner: "
    "{rel} {last}, tel {phone}.",
    "Ambulance handover: male, «GCS 13», found at {street}, {town}. «Glucose 2.1». Known «Addison's disease» on "
    "«hydrocortisone». Name on bracelet: {first} {last}.",
    "Discharge summary. Patient: {first} {last}. Address: {street}, {town} {post}. Admitted {date}, discharged {date2}. "
    "Diagnosis: «community acquired pneumonia». «Amoxicillin 500 mg TDS» for «5 days».",
    "{last} is a pleasant «67-year-old» man with «Parkinson's disease» and «atrial fibrillation» who presents with "
    "«urinary retention». Foley catheter passed, 800 ml drained.",
    "Child {first}, «18 months», brought in by mum {rel}. «Barking cough» and «stridor» overnight. «Temp 38.9». Nursery "
    "in {town}. «Dexamethasone» given.",
    "S: «dizziness» x «2 weeks». O: «BP 98/60» standing. A: «postural hypotension». P: stop «amlodipine», recheck on "
    "{daymonth}. Signed, Nurse {rel} {other}",
    "Insurance ID {plan}, account {account}. «Back pain» after lifting, no «saddle anaesthesia», power «5/5». SSN {ssn}.",
    "Pacemaker serial number {device}, implanted {date} at {hospital}. Now «palpitations» and «presyncope». "
    "«ECG» paced rhythm, rate «60».",
    "RTC: driver of car reg {plate}, airbag deployed. «Neck pain», «C-spine» tender. Licence no. {licence}. Police "
    "officer {other} attended.",
    "Referred by {doc} to rheumatology. «Raynaud's» worse in the cold, «ANA positive». Seen in {town} clinic {month} "
    "last year.",
    "Mr {first} {typo} attended with «cellulitis» of the «left leg», tracking to the knee. «Flucloxacillin» started. "
    "He was born {dob}.",
    "Phone call with {rel}, the wife of {first}. He has been «confused» since «yesterday». «Temperature 39.4». Advised "
    "«999».",
    "{initials} is known to us with «asthma». «Peak flow» 45 % of best. «Salbutamol» 10 puffs given. Mother Ms {last} "
    "informed on {phone}.",
    "Photo of «rash» sent from {email}, IP {ip}. «Non-blanching» spots on both legs. Callback to patient {first} on "
    "{phone}.",
    "Vehicle VIN {vin} recovered from canal; driver {first} {last} pulled out by firefighter {other}. «Hypothermic», "
    "«core temperature 31».",
    "Patient lives at {street} and works at the bakery in {othertown}. «Burn» to «right forearm», «4 % TBSA».",
    "Seen w/ interpreter. Pt states «pain in chest» x «2 h». Daughter-in-law {rel} gives history. PMHx: «MI» in 2016, "
    "«stent» 2017. Meds «aspirin 75 mg», «bisoprolol 2.5 mg».",
    # chats
    "hi its {first} {last} here, ive had «diarrhoea» for «4 days» and cant keep anything down. my dob is {dob} and my "
    "number is {phone}",
    "My name is {first} and my husband {rel} has «crushing chest pain», we are at {street} {town}, please hurry",
    "hello, this is {rel} calling about my mum {first} {last}. she is {oldword} and she has «fallen» again, she hit her "
    "«head» and is on «warfarin»",
    "I am {first}. Since {month} I have had «night sweats» and I lost «8 kg». I saw Dr {doc} in {town} but he found "
    "nothing.",
    "can you email me at {email} please. the «tablets» dr {doc} gave me make me «dizzy» and i got a «rash» on my «arms»",
    "my son {rel} has a «temperature of 39» and «wont drink», he is «2 years old», we live in {town} near the {hospital}",
    "Dear Dr {doc},\nI have been having «migraine» twice a week since {date}. The «sumatriptan 50 mg» does not help any "
    "more.\nKind regards,\n{first} {last}\n{street}\n{town}\n{post}",
    "ok so {rel} my flatmate says i was «shaking» all over for «2 minutes» and i bit my «tongue». happened on {daymonth} "
    "too. im {first} btw",
    "nana is {old} and her «breathing» is funny, she sleeps in the chair. {rel} my sister thinks it is her «heart»",
    "I twisted my «ankle» at {othertown} station on {daymonth} and it is «swollen» and «blue». {first} {last}, "
    "{phone}, record {mrn}",
    "sorry wrong button. «sore throat» «3 days», «white spots», cant swallow. work at tesco in {town}. thx {first}",
    "my page is {url} you can see the picture of my «eye» there, it is «red» and «painful» since «this morning». {rel} "
    "said its pink eye",
    "Good evening, {last} speaking. My wife is «38 weeks» pregnant and the «waters have broken», colour is «green». We "
    "live at {street}, {post}.",
    "Assistant asked my name. It is {first} {last}. I take «levothyroxine 100 mcg» and «ramipril» and today my «lips» are "
    "«swelling».",
    "me and {rel} ate «mushrooms» from the wood near {town}, now both «vomiting». {rel} is «very sleepy»",
    "I've got «suicidal thoughts» and I told {rel} but she did not understand. I moved here from {othertown} in {month}.",
    # Spanish and mixed lines
    "Me llamo {first} {last}, vivo en {town}. Tengo «dolor de pecho» desde «hace dos horas» y «sudor frío».",
    "Soy {rel}, la hija de {first}. Mi madre tiene «fiebre» desde el {daymonth} y está muy «confusa». Teléfono {phone}",
    "patient speaks spanish: 'me duele la «cabeza» desde {mes}', brother {rel} translates, «BP 130/80»",
    "El señor {last} nació el {dob}. Acude por «tos» y «dificultad para respirar». Vive en {street}.",
    # letters and forms
    "To whom it may concern: {first} {last} (born {dob}, passport {licence}) is under treatment for «Hodgkin lymphoma» "
    "at {hospital}.",
    "Name: {first} {last}\nDate of birth: {dob}\nPhone: {phone}\nEmail: {email}\nComplaint: «abdominal pain» right lower, "
    "«vomiting» x«3», no «fever»\nNext of kin: {rel} {other}",
    "Addendum {date}: spoke to pharmacist {other} at Boots {town}. «Methotrexate» is weekly, not daily. {last} informed.",
    "Cc: Prof. {doc}, {hospital}; {rel} {last} (mother), {street}, {town}. Re: «febrile convulsion», «Kawasaki disease» "
    "excluded. «Ibuprofen» as needed.",
]
