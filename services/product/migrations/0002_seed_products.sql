-- 1,000 products: 25 finishes of 40 things. Ids p-0001 .. p-1000; every fiftieth is out of stock.
INSERT INTO products (id, name, price, in_stock)
SELECT 'p-' || substr(CAST(10001 + thing.column1 * 25 + finish.column1 AS TEXT), 2),
       finish.column2 || ' ' || thing.column2,
       499 + ((thing.column1 * 25 + finish.column1) * 7919) % 19500,
       (thing.column1 * 25 + finish.column1) % 50 <> 49
FROM (VALUES (0, 'Anchor'), (1, 'Backpack'), (2, 'Barometer'), (3, 'Beanie'), (4, 'Binoculars'), (5, 'Blanket'), (6, 'Bottle'), (7, 'Bowl'), (8, 'Candle'), (9, 'Cap'), (10, 'Chart'), (11, 'Compass'), (12, 'Cup'), (13, 'Duffel'), (14, 'Flag'), (15, 'Gloves'), (16, 'Hammock'), (17, 'Headlamp'), (18, 'Hook'), (19, 'Jacket'), (20, 'Kettle'), (21, 'Knife'), (22, 'Lantern'), (23, 'Map Case'), (24, 'Mug'), (25, 'Notebook'), (26, 'Oar'), (27, 'Paddle'), (28, 'Parka'), (29, 'Pulley'), (30, 'Raincoat'), (31, 'Rope'), (32, 'Rug'), (33, 'Scarf'), (34, 'Sextant'), (35, 'Stove'), (36, 'Sweater'), (37, 'Tarp'), (38, 'Towel'), (39, 'Whistle')) AS thing,
     (VALUES (0, 'Amber'), (1, 'Arctic'), (2, 'Ashen'), (3, 'Azure'), (4, 'Brass'), (5, 'Bright'), (6, 'Calm'), (7, 'Carbon'), (8, 'Cedar'), (9, 'Coastal'), (10, 'Copper'), (11, 'Coral'), (12, 'Crimson'), (13, 'Deep'), (14, 'Dusk'), (15, 'Ember'), (16, 'Fathom'), (17, 'Foggy'), (18, 'Golden'), (19, 'Granite'), (20, 'Harbour'), (21, 'Indigo'), (22, 'Ivory'), (23, 'Jade'), (24, 'Lunar')) AS finish;
