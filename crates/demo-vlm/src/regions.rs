//! Where in a picture: nine cells, three by three, and English for any set of them.

/// Cells of a picture, numbered row by row from the top left.
pub(crate) type Cells = [bool; 9];

/// The cell of a pixel. The middle cell takes a picture that is one pixel wide.
pub(crate) fn cell(x: usize, y: usize, width: usize, height: usize) -> usize {
    let third = |at: usize, of: usize| ((2 * at + 1) * 3 / (2 * of.max(1))).min(2);
    third(y, height) * 3 + third(x, width)
}

const EVERYWHERE: &str = "the whole picture";

const SHAPES: [(&[usize], &str); 10] = [
    (&[0, 1, 2, 3, 4, 5], "the upper two thirds"),
    (&[3, 4, 5, 6, 7, 8], "the lower two thirds"),
    (&[0, 1, 3, 4, 6, 7], "the left two thirds"),
    (&[1, 2, 4, 5, 7, 8], "the right two thirds"),
    (&[0, 1, 2], "the top"),
    (&[6, 7, 8], "the bottom"),
    (&[0, 3, 6], "the left"),
    (&[2, 5, 8], "the right"),
    (&[3, 4, 5], "the middle from left to right"),
    (&[1, 4, 7], "the middle from top to bottom"),
];

const NAMES: [&str; 9] = [
    "the top left",
    "the top middle",
    "the top right",
    "the centre left",
    "the centre",
    "the centre right",
    "the bottom left",
    "the bottom middle",
    "the bottom right",
];

/// The fewest names that cover the cells: whole rows and columns first, then single cells.
pub(crate) fn names(cells: &Cells) -> Vec<&'static str> {
    if cells.iter().all(|&cell| cell) {
        return vec![EVERYWHERE];
    }
    let mut left = *cells;
    let mut found = Vec::new();
    for (shape, shape_name) in SHAPES {
        let inside = shape.iter().all(|&cell| cells[cell]);
        // A row and a column may cross, but a shape must say something new.
        if inside && shape.iter().filter(|&&cell| left[cell]).count() >= 2 {
            shape.iter().for_each(|&cell| left[cell] = false);
            found.push(shape_name);
        }
    }
    found.extend(NAMES.iter().zip(left).filter(|(_, left)| *left).map(|(name, _)| *name));
    found
}

/// "a", "a and b", "a, b and c".
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cells: &[usize]) -> String {
        let mut set = Cells::default();
        cells.iter().for_each(|&cell| set[cell] = true);
        list(&names(&set))
    }

    #[test]
    fn cells_merge_into_rows_columns_and_thirds() {
        assert_eq!(words(&[0]), "the top left");
        assert_eq!(words(&[0, 1]), "the top left and the top middle");
        assert_eq!(words(&[0, 1, 2]), "the top");
        assert_eq!(words(&[0, 3, 6]), "the left");
        assert_eq!(words(&[0, 1, 2, 3, 4, 5]), "the upper two thirds");
        assert_eq!(words(&[0, 1, 2, 3, 6]), "the top and the left");
        assert_eq!(words(&[0, 1, 2, 6, 7, 8]), "the top and the bottom");
        assert_eq!(words(&[0, 1, 2, 4]), "the top and the centre");
        assert_eq!(words(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), "the whole picture");
        assert_eq!(words(&[]), "");
    }

    #[test]
    fn every_set_of_cells_is_named_without_a_gap() {
        for bits in 0..512_usize {
            let cells: Cells = std::array::from_fn(|cell| bits & (1 << cell) != 0);
            let mut covered = Cells::default();
            for name in names(&cells) {
                if name == EVERYWHERE {
                    covered = [true; 9];
                }
                if let Some(cell) = NAMES.iter().position(|&other| other == name) {
                    covered[cell] = true;
                }
                if let Some((shape, _)) = SHAPES.iter().find(|(_, other)| *other == name) {
                    shape.iter().for_each(|&cell| covered[cell] = true);
                }
            }
            assert_eq!(covered, cells, "{bits:09b}");
        }
    }

    #[test]
    fn pixels_fall_into_thirds() {
        assert_eq!(cell(0, 0, 9, 9), 0);
        assert_eq!(cell(8, 8, 9, 9), 8);
        assert_eq!(cell(4, 0, 9, 9), 1);
        assert_eq!(cell(0, 0, 1, 1), 4);
        assert_eq!(cell(1, 0, 2, 1), 5);
    }
}
