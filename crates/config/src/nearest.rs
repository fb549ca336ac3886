//! Which known word an unknown one was meant to be.

/// The candidate that is at most two slips of the finger from `word`, if there is one.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        // Two slips turn any two-letter word into any other: that is no likeness.
        .filter(|(slips, candidate)| *slips <= 2 && *slips < candidate.len().min(word.len()))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, substitutions and swaps of neighbours lie between the two
/// (optimal string alignment), or something above 2 when their lengths already differ by more.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    // Three rows of the usual table: before the last, the last, and the one being written.
    let mut older: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut before: Option<char> = None;
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut left = i + 1;
        let mut before_y: Option<char> = None;
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(left + 1);
            if before == Some(y) && before_y == Some(x) {
                best = best.min(at(&older, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(best);
            left = best;
            before_y = Some(y);
        }
        older = std::mem::replace(&mut last, row);
        before = Some(x);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("window", "window", 0),
            ("windwo", "window", 1),
            ("wndow", "window", 1),
            ("windoww", "window", 1),
            ("wimdow", "window", 1),
            ("iwndwo", "window", 2),
            ("", "ab", 2),
            ("ports", "sports", 1),
            ("first", "limit", 3),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
            assert_eq!(distance(b, a), slips, "{b} {a}");
        }
        assert_eq!(distance("a", "abcd"), usize::MAX);
    }

    #[test]
    fn only_a_likeness_is_offered() {
        let words = || ["ports", "window", "suspect"].into_iter();
        assert_eq!(nearest("port", words()), Some("ports"));
        assert_eq!(nearest("widnow", words()), Some("window"));
        assert_eq!(nearest("threshold", words()), None);
        assert_eq!(nearest("ab", ["cd", "xy"].into_iter()), None);
    }
}
