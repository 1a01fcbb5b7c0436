//! The merchants that the simulated cardholders pay: a fixed table, so that traffic depends on the seed alone.

/// A merchant as the terminal describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merchant {
    /// Card acceptor id, DE 42, at its full length of 15.
    pub(crate) id: &'static str,
    /// Terminal id, DE 41, at its full length of 8.
    pub(crate) terminal: &'static str,
    /// Merchant category code, DE 18.
    pub(crate) mcc: u16,
    /// Country, DE 19: ISO 3166-1 numeric.
    pub(crate) country: u16,
    /// Name and place, DE 43, at its full length of 40; ends with the country.
    pub(crate) name: &'static str,
}

/// A merchant category that some cards block: betting.
pub(crate) const BLOCKED_MCC: u16 = 7995;
/// A country that some cards block: Antarctica, where no other merchant of the table is.
pub(crate) const BLOCKED_COUNTRY: &str = "AQ";
/// A merchant that some cards block.
pub(crate) const BLOCKED_MERCHANT: &str = "UNWANTED0000001";

/// Where ordinary purchases are made.
pub(crate) const ORDINARY: [Merchant; 6] = [
    Merchant {
        id: "COFFEE000000001",
        terminal: "TERM0001",
        mcc: 5814,
        country: 840,
        name: "CORNER COFFEE            PORTLAND     US",
    },
    Merchant {
        id: "GROCER000000001",
        terminal: "TERM0002",
        mcc: 5411,
        country: 840,
        name: "GREEN GROCER             CHICAGO      US",
    },
    Merchant {
        id: "BOOKS0000000001",
        terminal: "TERM0003",
        mcc: 5942,
        country: 276,
        name: "BUCHLADEN AM MARKT       LEIPZIG      DE",
    },
    Merchant {
        id: "HOTEL0000000001",
        terminal: "TERM0004",
        mcc: 7011,
        country: 250,
        name: "HOTEL DU PORT            MARSEILLE    FR",
    },
    Merchant {
        id: "CLOUD0000000001",
        terminal: "WEB00001",
        mcc: 5734,
        country: 372,
        name: "CLOUD SERVICES           DUBLIN       IE",
    },
    Merchant {
        id: "TRAIN0000000001",
        terminal: "TERM0005",
        mcc: 4112,
        country: 756,
        name: "BERGBAHN                 ZERMATT      CH",
    },
];

/// Where a blocked merchant category is tried.
pub(crate) const BETTING: Merchant = Merchant {
    id: "BETTING00000001",
    terminal: "WEB00002",
    mcc: BLOCKED_MCC,
    country: 840,
    name: "LUCKY NUMBERS            RENO         US",
};

/// Where a blocked country is tried.
pub(crate) const FAR_AWAY: Merchant = Merchant {
    id: "STATION00000001",
    terminal: "TERM0006",
    mcc: 5947,
    country: 10,
    name: "STATION SHOP             MCMURDO      AQ",
};

/// Where a blocked merchant is tried.
pub(crate) const UNWANTED: Merchant = Merchant {
    id: BLOCKED_MERCHANT,
    terminal: "WEB00003",
    mcc: 5968,
    country: 840,
    name: "SUBSCRIPTION TRAP        NOWHERE      US",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fills_its_element() {
        for merchant in ORDINARY.into_iter().chain([BETTING, FAR_AWAY, UNWANTED]) {
            assert_eq!((merchant.id.len(), merchant.terminal.len(), merchant.name.len()), (15, 8, 40));
        }
    }
}
