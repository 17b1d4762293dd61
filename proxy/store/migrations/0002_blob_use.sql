-- When content was last opened, to the hour: what nobody wants leaves first.
ALTER TABLE blobs ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE blobs SET used = at;
CREATE INDEX blobs_used ON blobs (area, used);

-- What the file looked like when its content was last known to be what the hash
-- says, and when that was. While it looks the same it need not be hashed again.
ALTER TABLE blobs ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
ALTER TABLE blobs ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;
