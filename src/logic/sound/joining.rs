//! Which of a call's recordings make up the whole call.
//!
//! The rule: the longest recording first; then every other that does not play at the same time as one already
//! taken (a transfer or a click-to-call records one talk twice); all taken are joined in order of time, so that
//! the listener hears the whole call once. When it is not known when a recording ran, only the longest is taken.
//! Recordings of another sample rate than the longest are left out.

/// A recording that holds sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// When it began, seconds of any clock shared by all pieces; none when unknown.
    pub began: Option<f64>,
    /// Length of the sound.
    pub seconds: f64,
    /// Samples a second.
    pub rate: u32,
}

/// Two recordings may share this much, as their times are only known to about a second each.
const TOLERANCE: f64 = 2.0;

/// The indices of the pieces to be joined, in order of time.
pub fn choose(pieces: &[Piece]) -> Vec<usize> {
    let mut longest_first: Vec<usize> = (0..pieces.len()).collect();
    longest_first.sort_by(|a, b| pieces[*b].seconds.total_cmp(&pieces[*a].seconds));
    let mut taken: Vec<usize> = Vec::new();
    for candidate in longest_first {
        let fits = |other: &usize| {
            pieces[*other].rate == pieces[candidate].rate
                && overlap(&pieces[*other], &pieces[candidate]).is_some_and(|seconds| seconds <= TOLERANCE)
        };
        if taken.iter().all(fits) {
            taken.push(candidate);
        }
    }
    let began = |n: &usize| pieces[*n].began.unwrap_or(0.0);
    taken.sort_by(|a, b| began(a).total_cmp(&began(b)));
    taken
}

/// Seconds that two pieces share; none when it is not known.
fn overlap(a: &Piece, b: &Piece) -> Option<f64> {
    let (a_began, b_began) = (a.began?, b.began?);
    let shared = (a_began + a.seconds).min(b_began + b.seconds) - a_began.max(b_began);
    // A blip shorter than the tolerance must not slip in beside the talk that holds it.
    Some(if shared > 0.0 && shared >= a.seconds.min(b.seconds) / 2.0 { f64::INFINITY } else { shared })
}
