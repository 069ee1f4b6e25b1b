"""Write the banks of texts that cliplib/search/background.py compares with: python -m data.match.bank

`everyday.txt` is for CLIP and photos: what people have pictures of and ask for, in our own words. `drawn.txt` is for
the tiny model: captions of random scenes of the drawn world, whole, partial and short.
"""

from itertools import cycle
from pathlib import Path

import numpy as np

from cliplib import models
from data.world.captions import Writer
from data.world.scenes import random_scene

BANKS = Path(__file__).resolve().parents[2] / "cliplib" / "search" / "banks"
VERSION = 1
DRAWN_EACH = 400
SEED = 41
ONE_MEANING = 0.99  # the cosine of two captions that say the same

# What one can point at: everything here gets its article.
THINGS = {
    "people": """baby, toddler, boy, girl, teenager, young man, young woman, man with a beard, old man, old woman,
        grandmother holding a child, mother and her baby, father with his son, family, couple, bride, groom, wedding
        couple, group of friends, crowd of people, choir, band on a stage, singer, guitarist, pianist, drummer,
        violinist, dancer, ballerina, clown, magician, actor, artist, sculptor, photographer, painter at work, chef,
        baker, waiter, bartender, butcher, farmer, gardener, fisherman, hunter, shepherd, soldier, sailor, pilot,
        astronaut, police officer, firefighter, nurse, doctor, dentist, surgeon, pharmacist, scientist, teacher,
        student, professor, judge, lawyer, politician, speaker at a lectern, businessman, secretary, cashier,
        mechanic, carpenter, plumber, electrician, construction worker, welder, tailor, hairdresser, postman,
        cyclist, runner, swimmer, surfer, skier, climber, hiker, goalkeeper, tennis player, boxer, gymnast, horse
        rider, fencer, golfer, monk, priest, nun, king, queen, knight, pirate, witch, mermaid, superhero, mannequin,
        statue of a man, face, portrait, smiling child, crying baby, sleeping person, person seen from behind,
        selfie, hand, foot, eye, ear, tattoo, moustache, ponytail, bald head""",
    "animals": """dog, puppy, poodle, sheepdog, greyhound, pug, husky, cat, kitten, tabby cat, black cat, rabbit,
        hamster, guinea pig, mouse, rat, squirrel, hedgehog, fox, wolf, bear, polar bear, panda, koala, kangaroo,
        deer, elk, moose, reindeer, goat, sheep, lamb, cow, calf, bull, bison, pig, piglet, horse, foal, donkey,
        camel, llama, zebra, giraffe, elephant, rhinoceros, hippopotamus, lion, lioness, tiger, leopard, cheetah,
        monkey, gorilla, chimpanzee, lemur, sloth, otter, beaver, badger, raccoon, skunk, bat, seal, walrus, whale,
        dolphin, shark, goldfish, salmon, trout, eel, octopus, squid, jellyfish, starfish, crab, lobster, shrimp,
        snail, worm, spider, scorpion, ant, bee, wasp, fly, mosquito, butterfly, moth, dragonfly, ladybird, beetle,
        grasshopper, frog, toad, newt, lizard, gecko, chameleon, snake, tortoise, turtle, crocodile, hen, rooster,
        chick, duck, duckling, goose, swan, turkey, peacock, pigeon, dove, sparrow, robin, blackbird, crow, magpie,
        parrot, budgie, owl, eagle, hawk, vulture, gull, pelican, flamingo, heron, stork, penguin, ostrich,
        woodpecker, hummingbird, bird in a cage, nest with eggs, fish in an aquarium, herd of cattle, flock of
        sheep, flock of birds, dinosaur skeleton""",
    "vehicles": """car, red sports car, old car, racing car, estate car, convertible, pick-up, van, camper van,
        caravan, minibus, coach, city bus, double-decker bus, tram, trolleybus, underground train, steam locomotive,
        high-speed train, freight train, lorry, tanker, dustcart, tow truck, fire engine, ambulance, police car,
        taxi, limousine, jeep, tractor, combine harvester, excavator, bulldozer, crane, forklift, motorcycle, moped,
        scooter, quad bike, bicycle, mountain bike, tandem, tricycle, unicycle, wheelchair, pram, pushchair,
        horse-drawn carriage, sledge, snowmobile, skateboard, roller skate, airliner, biplane, fighter jet, glider,
        helicopter, drone, hot air balloon, airship, parachute, rocket, satellite, spacecraft, rowing boat, canoe,
        kayak, sailing boat, yacht, speedboat, fishing boat, ferry, cruise ship, container ship, warship, submarine,
        raft, gondola, cable car, chairlift, tyre, steering wheel, dashboard of a car, engine of a car, number
        plate, wrecked car""",
    "food": """loaf of bread, bread roll, croissant, pretzel, bagel, slice of toast, sandwich, hamburger, hot dog,
        kebab, pizza, plate of pasta, bowl of noodles, bowl of soup, bowl of rice, salad, steak, roast chicken,
        sausage, slice of ham, fried egg, boiled egg, omelette, pancake, waffle, bowl of cereal, plate of sushi,
        plate of seafood, curry, stew, taco, burrito, dumpling, pie, piece of cheese, apple, pear, banana, orange,
        lemon, lime, grapefruit, peach, plum, cherry, strawberry, raspberry, blueberry, bunch of grapes, melon,
        watermelon, pineapple, mango, kiwi, coconut, avocado, tomato, cucumber, carrot, potato, onion, garlic bulb,
        pepper, aubergine, courgette, pumpkin, cabbage, cauliflower, head of broccoli, lettuce, leek, radish,
        beetroot, mushroom, cob of corn, pod of peas, olive, nut, birthday cake, chocolate cake, wedding cake,
        cupcake, muffin, doughnut, biscuit, bar of chocolate, sweet, ice cream, lollipop, jar of honey, jar of jam,
        bottle of milk, cup of coffee, cup of tea, glass of water, glass of wine, glass of beer, cocktail, bottle of
        wine, can of drink, fruit juice, teapot, basket of fruit, breakfast tray, lunch box, picnic, buffet,
        barbecue, menu""",
    "home": """chair, armchair, sofa, stool, bench, table, dining table, coffee table, desk, bookshelf, cupboard,
        wardrobe, chest of drawers, bed, bunk bed, cradle, mattress, pillow, blanket, curtain, carpet, rug, lamp,
        candle, chandelier, fireplace, radiator, mirror, picture frame, painting on a wall, poster, clock on a wall,
        alarm clock, vase of flowers, pot plant, door, window, staircase, lift, balcony, key, padlock, doorbell,
        light switch, socket, plug, cable, battery, torch, fan, heater, air conditioner, cooker, oven, microwave,
        fridge, freezer, dishwasher, washing machine, iron, ironing board, vacuum cleaner, broom, bucket, mop,
        sponge, dustbin, sink, tap, bathtub, shower, toilet, towel, bar of soap, bottle of shampoo, toothbrush, tube
        of toothpaste, razor, comb, hairbrush, hair dryer, lipstick, bottle of perfume, plate, bowl, cup, mug,
        glass, jug, bottle, jar, knife, fork, spoon, chopping board, frying pan, saucepan, kettle, toaster, blender,
        coffee machine, bottle opener, corkscrew, tray, basket, box, cardboard box, suitcase, laundry on a line, toy
        box, cot""",
    "work and play": """book, open book, magazine, newspaper, notebook, pencil, pen, crayon, paintbrush, ruler, pair
        of scissors, stapler, paper clip, envelope, stamp, postcard, calendar, globe, map on a wall, blackboard,
        whiteboard, projector, computer, laptop, tablet, keyboard, computer mouse, monitor, printer, router, circuit
        board, microphone, loudspeaker, pair of headphones, radio, record player, television, remote control, game
        controller, camera, film camera, tripod, lens, pair of binoculars, telescope, microscope, test tube,
        calculator, phone, old telephone, smartwatch, wristwatch, hammer, screwdriver, spanner, saw, drill, axe,
        nail, screw, ladder, rope, chain, shovel, rake, wheelbarrow, watering can, lawn mower, hose, paint pot, tape
        measure, syringe, pill, plaster cast, stethoscope, thermometer, crutch, teddy bear, doll, toy car, toy
        train, building blocks, jigsaw puzzle, chessboard, pack of cards, dice, board game, balloon, kite, swing,
        slide, sandpit, trampoline, ball, football, basketball, tennis racket, golf club, baseball bat, ice hockey
        stick, ski, sledge on snow, surfboard, snowboard, fishing rod, tent, sleeping bag, rucksack, campfire,
        piano, guitar, violin, cello, flute, trumpet, saxophone, accordion, harp, drum kit, sheet of music, trophy,
        medal, dartboard, punch bag, dumbbell, yoga mat, mask, puppet, knitting, sewing machine, ball of wool,
        easel, clay pot""",
    "clothes": """T-shirt, shirt, blouse, jumper, hoodie, jacket, leather jacket, winter coat, raincoat, suit, tie,
        bow tie, waistcoat, dress, evening dress, wedding dress, skirt, pair of jeans, pair of shorts, pair of
        socks, pair of tights, swimsuit, pair of pyjamas, dressing gown, apron, uniform, kimono, kilt, sari, hat,
        cap, woolly hat, helmet, crown, headscarf, scarf, glove, mitten, belt, umbrella, handbag, wallet, purse,
        briefcase, pair of glasses, pair of sunglasses, ring, necklace, bracelet, earring, brooch, shoe, trainer,
        boot, sandal, slipper, high heel, clothes hanger, rack of clothes, pile of clothes, button, zip""",
    "outdoors": """house, cottage, farmhouse, block of flats, skyscraper, office building, factory, warehouse, barn,
        shed, garage, greenhouse, castle, palace, fortress, ruin, church, cathedral, mosque, synagogue, temple,
        pagoda, tomb, monument, statue, fountain, arch, tower, lighthouse, windmill, water mill, dam, power station,
        wind turbine, solar panel, pylon, chimney, bridge, suspension bridge, tunnel, road, motorway, crossroads,
        roundabout, pedestrian crossing, traffic light, road sign, street sign, street lamp, parking meter, petrol
        pump, bus stop, letter box, phone box, fire hydrant, bench in a park, fence, gate, wall, hedge, path,
        staircase outdoors, rock, cliff, cave, canyon, valley, hill, mountain, volcano, glacier, iceberg, waterfall,
        river, stream, canal, lake, pond, swamp, sea, wave, island, beach, dune, desert, meadow, field of wheat,
        vineyard, orchard, forest, palm tree, oak tree, pine tree, bare tree, tree in blossom, cactus, bush, fern,
        patch of moss, leaf, pile of leaves, log, flower, rose, tulip, sunflower, daisy, orchid, poppy, bunch of
        flowers, sun, full moon, starry sky, cloud, rainbow, flash of lightning, storm, snowflake, icicle, puddle,
        fog bank, sunrise, sunset, fire, column of smoke, flag, scarecrow, birdhouse, snowman, sandcastle, well,
        grave, scaffold, building site""",
}

PLACES = """in a kitchen; in a living room; in a bedroom; in a bathroom; in an office; in a classroom; in a
    hospital; in a supermarket; in a shop; in a restaurant; in a café; in a bar; in a library; in a museum; in a
    theatre; in a church; in a gym; in a swimming pool; in a garage; in a workshop; in a factory; in a car; on a
    train; on a bus; on a plane; at an airport; at a railway station; on a boat; in a harbour; on a street; on a
    market square; in a village; in a city at night; in a park; in a playground; in a garden; on a farm; in a field;
    in a forest; in the mountains; by a river; on a lake; on a beach; under water; in the desert; in the snow; in
    the rain; in the fog; at a stadium; at a zoo"""

SCENES = """a sunny day at the beach; a sunset over the sea; a sunrise in the mountains; a street at night; a city
    skyline; a view from an aeroplane; a view from a window; an aerial view of a city; a snowy landscape; a foggy
    morning; autumn leaves; spring flowers; a storm at sea; a night sky full of stars; the northern lights;
    fireworks; a rainy street; a traffic jam; an empty road; a car park; a railway track; a platform with people; an
    airport hall; a harbour with boats; a market stall; a shop window; a shopping centre; shelves in a supermarket;
    a restaurant table; a kitchen with pots; a tidy living room; a messy desk; a child's bedroom; a bathroom with a
    mirror; an empty room; a hotel room; a corridor; an attic; a cellar; a classroom full of pupils; a lecture hall;
    an office with computers; a meeting room; a laboratory; a hospital ward; a waiting room; a workshop with tools;
    a factory hall; a building site with cranes; a farm with animals; a vegetable garden; a flower bed; a
    playground; a swimming pool; a football match; a stadium full of fans; a ski slope; a golf course; a tennis
    court; a gym with machines; a concert; a stage with lights; a theatre audience; a museum room; an exhibition of
    paintings; a library with tall shelves; the inside of a church; the inside of a car; the inside of a train; the
    deck of a ship; a camp site; a hiking trail; a forest path; a river bank; a lake in the mountains; a waterfall
    in a forest; a tropical beach; a desert with dunes; a rocky coast; a coral reef; a cave; a field of flowers;
    cows on a pasture; a zoo enclosure; an aquarium; a birthday party; a wedding; a funeral; a graduation; a
    christening; Christmas; a Christmas tree; Easter eggs; Halloween; carnival; New Year's Eve; a demonstration; a
    parade; a funfair; a circus; a flea market; moving house; a school trip; a family dinner; a picnic in a park; a
    barbecue in a garden; a day in the snow; a holiday by the sea; a road trip; a flooded street; a burning house; a
    car accident; a collapsed building; a rubbish dump; graffiti on a wall"""

PICTURES = """a screenshot; a screenshot of a chat; a screenshot of a website; a screenshot of a map; a screenshot
    of a game; a screenshot of a phone; a screenshot of an email; a screenshot of a table; an error message; a page
    of text; a letter; a handwritten note; a form; a receipt; an invoice; a bank statement; a ticket; a boarding
    pass; a passport; a driving licence; an identity card; a business card; a certificate; a newspaper cutting; a
    page of a book; a recipe; a timetable; a menu on a wall; a shopping list; a to-do list; a crossword; a form with
    a signature; a bar code; a QR code; a logo; an icon; an emoji; a meme; a comic; a cartoon; a drawing by a child;
    a pencil sketch; an oil painting; a watercolour; an etching; a mosaic; a collage; a poster of a film; a book
    cover; an album cover; an advertisement; a greeting card; a diagram; a flow chart; a bar chart; a line graph; a
    pie chart; a table of numbers; a mathematical formula; source code; a floor plan; a technical drawing; a road
    map; a weather map; a slide of a talk; a whiteboard with writing; a sign with words; a label on a bottle; an
    X-ray; an ultrasound picture; a microscope picture; a satellite picture; a thermal picture; a fingerprint; a
    pattern; a texture; a plain background; a gradient; a blurred photo; a dark photo; an overexposed photo; a black
    and white photo; an old family photo; a photo of a photo; a close-up; a silhouette; a reflection; a shadow; a
    panorama; a bird's-eye view; a thumb over the lens; a photo taken by accident; a computer rendering; a video
    game; a frame of a film; a television screen; a computer screen; a stamp collection; nothing at all; something
    else; a thing; text"""

WHO = """a man; a woman; a boy; a girl; two people; a child; an old couple; three friends; a group of people;
    somebody; a young woman; a man in a suit; a little girl in a dress; a family; children"""
DOING = """reading a book; talking on the phone; looking at a screen; eating dinner; drinking coffee; cooking a
    meal; washing the dishes; sleeping; laughing; crying; singing; dancing; playing the guitar; playing football;
    playing cards; playing chess; riding a bicycle; riding a horse; driving a car; waiting for a bus; carrying a
    bag; pushing a trolley; pulling a suitcase; running; jumping; climbing a wall; swimming; diving into the water;
    surfing; skiing downhill; ice skating; throwing a ball; catching a fish; feeding the birds; walking a dog;
    holding a cat; holding a baby; hugging; kissing; shaking hands; waving; pointing at something; taking a photo;
    painting a picture; writing a letter; sewing; repairing a bicycle; building a shed; digging a hole; planting a
    tree; mowing the lawn; picking apples; sweeping the floor; hanging up the washing; brushing teeth; shaving;
    combing hair; trying on shoes; opening a present; blowing out candles; cutting a cake; raising a glass; giving a
    speech; sitting on a bench; standing in a queue; lying on the grass; leaning on a wall; looking out of a window;
    crossing the street; going up the stairs; pitching a tent; lighting a fire; rowing a boat; doing yoga; lifting
    weights; boxing; praying; sitting at a table; wearing a mask; wearing sunglasses; with an umbrella; with a
    backpack; in costume; at work; on holiday"""
BEASTS = """a brown dog; two dogs; a black and white cat; a small bird; a herd of cows; a white horse; a flock of
    sheep; a large fish; a monkey; a swarm of insects"""
BEING = """lying on a sofa; running across a field; drinking from a bowl; looking into the camera; behind a fence;
    in the grass; on a branch; in the water; on a leash; eating; asleep; jumping over an obstacle; with its young;
    in a cage"""
OBJECTS = """a red bicycle; an empty bottle; a wooden chair; a yellow car; a stack of books; a broken window; a blue
    bag; a pair of shoes; a white cup; a bunch of keys; a big box; a vase of flowers; a laptop; an open umbrella; an
    old suitcase"""
LYING = """on a table; on the floor; against a wall; in front of a house; under a tree; next to a window; in a
    garden; on a shelf; at the side of the road; in the corner of a room; on the sand; in somebody's hand; behind a
    glass door"""
QUALITIES = """something red; something blue; something green; something yellow; something made of wood; something
    made of metal; something made of glass; something made of paper; something round; something shiny; something
    old; something expensive; something dangerous; something funny; something sad; something beautiful; something
    ugly; many things; two of the same; a mess; a collection; a row of things; a pile; a crowd; loneliness;
    happiness; anger; love; war; peace; summer; winter; spring; autumn; morning; evening; night; noise; silence;
    speed; heat; cold; home; work; school; holidays; sport; music; science; history; religion; nature; technology;
    fashion; food; drinks; plants; animals; people; buildings; vehicles; furniture; tools; toys; clothes; jewellery;
    money; medicine; weapons; electronics; sports equipment; kitchen utensils"""


def listed(words, between=";"):
    """A list written in one text, its line breaks taken for blanks."""
    return [" ".join(one.split()) for one in words.split(between)]


def with_article(noun):
    """`noun` after a or an."""
    return f"{'an' if noun[0] in 'aeiouAEIOU' and not noun.startswith(('uni', 'ute', 'eu', 'one')) else 'a'} {noun}"


def everyday():
    """The texts for photos: list of str, none twice."""
    nouns = [with_article(noun) for words in THINGS.values() for noun in listed(words, ",")]
    texts = [*nouns, *listed(SCENES), *listed(PICTURES), *listed(QUALITIES)]
    texts += [f"{who} {doing}" for who, doing in zip(cycle(listed(WHO)), listed(DOING) * 2)]
    texts += [f"{what} {doing}" for what, doing in zip(cycle(listed(BEASTS)), listed(BEING) * 3)]
    texts += [f"{what} {where}" for what, where in zip(cycle(listed(OBJECTS)), listed(LYING) * 3)]
    texts += [f"{who} {where}" for who, where in zip(cycle(listed(WHO)), listed(PLACES))]
    return list(dict.fromkeys(texts))


def drawn(encoder):
    """The texts for the drawn world, and their embeddings by the tiny model: of 400 captions each of whole scenes, of
    parts, and of single things, those that it does not take for one before ("sunset" has fourteen wordings).
    """
    random = np.random.default_rng(SEED)
    writer, texts = Writer(random), {}
    for write in (writer.whole, writer.partial, writer.short):
        least = len(texts) + DRAWN_EACH
        while len(texts) < least:
            texts[write(random_scene(random))[0]] = None
    texts, rows = list(texts), encoder.encode_texts(list(texts))
    same = np.tril(rows @ rows.T >= ONE_MEANING, -1).any(axis=1)
    return [text for text, again in zip(texts, same, strict=True) if not again], rows[~same]


def main():
    """Write both files, and the embeddings of the drawn one by the tiny model, whose own world it is."""
    BANKS.mkdir(exist_ok=True)
    encoder = models.load("tiny", device="cpu", precision="fp32")
    captions, rows = drawn(encoder)
    np.save(BANKS / f"drawn-{encoder.model_id[:12]}.npy", rows.astype(np.float16))
    for name, texts in (("everyday", everyday()), ("drawn", captions)):
        first = f"# {name}, version {VERSION}: {len(texts)} texts, written by data/match/bank.py"
        (BANKS / f"{name}.txt").write_text("\n".join([first, *texts]) + "\n", encoding="utf-8")
        print(first[2:])


if __name__ == "__main__":
    main()
