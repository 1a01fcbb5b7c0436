//! Books beside one another, equal to the last unit or not at all.

use super::number;

/// An amount, or a count of things, as one book has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Figure {
    /// In the smallest unit.
    pub units: i128,
    /// Digits after the point.
    pub decimals: u8,
}

impl Figure {
    /// Money in its smallest unit.
    #[must_use]
    pub const fn money(units: i128, decimals: u8) -> Self {
        Self { units, decimals }
    }

    /// A count of things.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self { units: i128::from(count), decimals: 0 }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&number::money(self.units, self.decimals))
    }
}

/// One line of the comparison: the same thing in each book.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BookRow {
    /// What is compared, for example `held, USD`.
    pub what: String,
    /// The figure of each book, in the order of [`BooksTable::books`]; `None` where a book does not keep it.
    pub figures: Vec<Option<Figure>>,
}

impl BookRow {
    /// Whether every book that keeps this has the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        all_equal(&self.figures)
    }
}

/// Whether the figures that are there are equal.
fn all_equal(figures: &[Option<Figure>]) -> bool {
    let mut kept = figures.iter().flatten();
    match kept.next() {
        Some(first) => kept.all(|other| other == first),
        None => true,
    }
}

/// Differences that are told in one line; the report lists all of them.
const DIFFERENCES_NAMED: usize = 5;

/// A difference, named: one account or card, and what each book says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The account or card, and what of it.
    pub whose: String,
    /// What each book that keeps it says.
    pub figures: Vec<(String, Figure)>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figures: Vec<String> =
            self.figures.iter().map(|(book, figure)| format!("{book} {figure}")).collect();
        write!(f, "{}: {}", self.whose, figures.join(", "))
    }
}

/// The comparison of books.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BooksTable {
    /// Whose books, for example `processor`, `switch`, `balance service`.
    pub books: Vec<String>,
    /// What is compared.
    pub rows: Vec<BookRow>,
    /// Accounts and cards on which the books differ.
    pub differences: Vec<Difference>,
    /// How many accounts and cards were compared one by one.
    pub compared: u64,
}

impl BooksTable {
    /// An empty comparison of these books.
    #[must_use]
    pub fn of(books: &[&str]) -> Self {
        let books = books.iter().map(|book| (*book).to_owned()).collect();
        Self { books, ..Self::default() }
    }

    /// Adds a line for a total.
    pub fn row(&mut self, what: impl Into<String>, figures: Vec<Option<Figure>>) {
        self.rows.push(BookRow { what: what.into(), figures });
    }

    /// Compares one account or card; a difference is kept with its name.
    pub fn compare(&mut self, whose: impl Into<String>, figures: &[Option<Figure>]) {
        self.compared += 1;
        if all_equal(figures) {
            return;
        }
        let named = self.books.iter().cloned().zip(figures);
        let figures = named.filter_map(|(book, figure)| Some((book, (*figure)?))).collect();
        self.differences.push(Difference { whose: whose.into(), figures });
    }

    /// That the books differ, and by what: the first few of those accounts and cards on which they do.
    #[must_use]
    pub fn differ_by(&self) -> String {
        let named =
            self.differences.iter().take(DIFFERENCES_NAMED).map(|difference| format!("; {difference}"));
        let more = self.differences.len().saturating_sub(DIFFERENCES_NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("the books differ{}{more}", named.collect::<String>())
    }

    /// Whether everything that was compared is equal.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.differences.is_empty() && self.rows.iter().all(BookRow::agrees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_differ_by_a_single_cent() {
        let mut table = BooksTable::of(&["processor", "switch", "balance service"]);
        let cents = |units| Some(Figure::money(units, 2));
        table.row("held, USD", vec![cents(100), cents(100), None]);
        table.compare("acct-1 held", &[cents(1_999), cents(1_999)]);
        assert!(table.agree());
        table.compare("acct-2 held", &[cents(1_999), cents(1_998), None]);
        assert!(!table.agree());
        assert_eq!(table.differ_by(), "the books differ; acct-2 held: processor 19.99, switch 19.98");
        assert_eq!(table.compared, 2);
    }

    #[test]
    fn an_equal_number_of_another_unit_is_a_difference() {
        let mut table = BooksTable::of(&["a", "b"]);
        table.row("held", vec![Some(Figure::money(100, 2)), Some(Figure::money(100, 6))]);
        assert!(!table.agree());
    }

    #[test]
    fn what_only_one_book_keeps_cannot_differ() {
        let row = BookRow { what: "asks".into(), figures: vec![None, Some(Figure::count(3)), None] };
        assert!(row.agrees());
    }
}
