//! What the house remembers of strangers, to decide how far to let them in: greylist, rates, bans.
