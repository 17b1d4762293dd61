-- When content was last opened, to the hour: what nobody wants leaves first.
ALTER TABLE blobs ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE blobs SET used = at;
CREATE INDEX blobs_used ON blobs (area, used);
