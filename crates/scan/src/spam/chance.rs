//! From counts to a chance: each token's own (Robinson), and all of them together: Fisher's inverse chi-square says how
//! much evidence there is, the sum of the odds to which side it leans.

use super::statistics::Counts;

/// Strength of the belief that a token nobody has seen says nothing.
const STRENGTH: f64 = 0.1;

/// What a token nobody has seen says.
const UNKNOWN: f64 = 0.5;

/// A token says something when it is this far from one half.
const DEVIATION: f64 = 0.1;

/// Spam leans to ham by up to this much: it borrows the words of honest mail, and comes by the
/// lists of honest people. Honest mail does not borrow the words of spam.
const BIAS: f64 = 5.6;

/// Tokens from which on that is so.
const SEVERAL: f64 = 50.0;

/// How quickly leaning becomes certainty.
const SLOPE: f64 = 1.2;

/// So many of the strongest tokens are believed.
const STRONGEST: usize = 150;

/// A user's own experience counts so many times the site's.
const OWN: f64 = 5.0;

/// More sightings of a token make neither experience count for more.
const ENOUGH: f64 = 20.0;

/// The chance that a message is spam, and the words that say so.
#[derive(Clone, Debug, PartialEq)]
pub struct Chance {
    /// 0 (certainly not) to 1.
    pub spam: f64,
    /// How far the evidence leans to one side where there is much for both: the sum of the tokens' logarithmic odds,
    /// divided by the root of their number. Above 0 is spam.
    pub margin: f64,
    /// How many tokens were known and said something.
    pub known: usize,
    /// The strongest tokens with the chance of each, strongest first.
    pub strongest: Vec<(String, f64)>,
}

/// What was learned of one token, by the site and by the user, and how many messages each has learned in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    pub(super) site: Counts,
    pub(super) own: Counts,
}

/// Does the tokens' chance, of which there may be none.
pub(super) fn combine(all: Evidence, tokens: impl Iterator<Item = (String, Evidence)>) -> Chance {
    let mut told: Vec<(String, f64)> = tokens
        .map(|(token, seen)| (token, believed(all, seen)))
        .filter(|(_, chance)| (chance - 0.5).abs() >= DEVIATION)
        .collect();
    let known = told.len();
    // Equal strength falls back to the text: the same message has the same verdict.
    told.sort_by(|(a, p), (b, q)| (q - 0.5).abs().total_cmp(&(p - 0.5).abs()).then_with(|| a.cmp(b)));
    told.truncate(STRONGEST);
    let odds: f64 = told.iter().map(|(_, p)| (p / (1.0 - p)).ln()).sum();
    let margin = odds / (told.len().max(1) as f64).sqrt();
    let spam = match told.is_empty() {
        true => 0.5,
        false => {
            let for_spam = 1.0 - tail(told.iter().map(|(_, p)| (1.0 - p).ln()).sum(), told.len());
            let for_ham = 1.0 - tail(told.iter().map(|(_, p)| p.ln()).sum(), told.len());
            // Where much speaks for both, the side that it leans to decides; where little speaks for either, nothing does.
            let bias = BIAS * (told.len() as f64 / SEVERAL).min(1.0);
            let leaning = 1.0 / (1.0 + (-(margin + bias) / SLOPE).exp());
            0.5 + for_spam.max(for_ham) * (leaning - 0.5)
        }
    };
    Chance { spam, margin, known, strongest: told }
}

/// The chance that a token is of spam.
fn believed(all: Evidence, seen: Evidence) -> f64 {
    let (site, site_seen) = share(all.site, seen.site);
    let (own, own_seen) = share(all.own, seen.own);
    let own_seen = own_seen * OWN;
    let chance = (STRENGTH * UNKNOWN + site_seen * site + own_seen * own) / (STRENGTH + site_seen + own_seen);
    chance.clamp(0.001, 0.999)
}

/// The share of spam among what had the token, as if as much of both had been learned; and how often it was seen.
fn share(all: Counts, seen: Counts) -> (f64, f64) {
    if all.spam == 0 || all.ham == 0 {
        return (UNKNOWN, 0.0);
    }
    let spam = f64::from(seen.spam) / f64::from(all.spam);
    let ham = f64::from(seen.ham) / f64::from(all.ham);
    if spam + ham == 0.0 {
        return (UNKNOWN, 0.0);
    }
    (spam / (spam + ham), (f64::from(seen.spam) + f64::from(seen.ham)).min(ENOUGH))
}

/// The chance that `count` pure chances have a product this small; `logarithm` is that of the product.
fn tail(logarithm: f64, count: usize) -> f64 {
    let m = -logarithm;
    let mut term = (-m).exp();
    let mut sum = term;
    for i in 1..count {
        term *= m / i as f64;
        sum += term;
    }
    sum.min(1.0)
}

/// Points of a chance: what is learned can decide alone against mail, and speak strongly for it.
pub fn points(spam: f64) -> f64 {
    const SCALE: [(f64, f64); 8] = [
        (0.0, -4.0),
        (0.02, -3.0),
        (0.2, -1.0),
        (0.45, 0.0),
        (0.55, 0.5),
        (0.8, 3.5),
        (0.95, 5.0),
        (1.0, 6.5),
    ];
    let above = SCALE.iter().position(|(chance, _)| *chance >= spam).unwrap_or(SCALE.len() - 1).max(1);
    let ((x0, y0), (x1, y1)) = (SCALE[above - 1], SCALE[above]);
    y0 + (spam.clamp(x0, x1) - x0) / (x1 - x0) * (y1 - y0)
}
