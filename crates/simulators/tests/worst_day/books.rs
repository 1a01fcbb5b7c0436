//! The books of both sides beside one another, when all has come to rest.

use crate::switch::{ACCOUNTS, account_id, asset};
use crate::world::World;
use authorizer::{Inquiry, Reply, TransactionState, TransactionView};
use domain::{CardNo, TransactionId, Units};
use std::collections::{BTreeMap, BTreeSet};

/// Compares them.
pub(crate) fn compare(world: &World) -> Result<(), String> {
    let (mine, theirs) = (&world.switch, world.service.books().view());
    if world.funding.pending() > 0 || world.funding.asks_open() > 0 {
        return Err(format!(
            "{} duties and {} asks are open",
            world.funding.pending(),
            world.funding.asks_open()
        ));
    }
    if mine.unanswered() > 0 {
        return Err(format!("{} callers were never answered", mine.unanswered()));
    }
    let mut believed: BTreeMap<TransactionId, Units> = BTreeMap::new();
    for account in 0..ACCOUNTS {
        let views = transactions(world, account);
        approvals_stand(world, account, &views)?;
        if let Some(open) = views.iter().find(|view| view.state == TransactionState::Asked) {
            return Err(format!("{} is undecided", open.id));
        }
        let holding = views.iter().filter(|view| view.state == TransactionState::Approved);
        believed.extend(holding.filter_map(|view| Some((view.id, view.held?.units))));
        account_agrees(world, account)?;
    }
    believed.retain(|_, units| *units != Units::ZERO);
    same("outstanding", &believed, &theirs.outstanding)?;
    same("duties out of order", &0, &theirs.counts.disordered)?;
    same("duties that speak of another reservation", &0, &theirs.counts.mismatched)
}

fn transactions(world: &World, account: usize) -> Vec<TransactionView> {
    let inquiry = Inquiry::TransactionsOf { card: CardNo(0), count_max: 10_000 };
    let reply = world.switch.shards[account].inquire(inquiry, world.now.utc);
    let Reply::Transactions(views) = reply else { panic!("a history was asked for, found {reply:?}") };
    views
}

/// What the processor knows to be approved is; and what it was refused, and nobody else got, holds nothing.
fn approvals_stand(world: &World, account: usize, views: &[TransactionView]) -> Result<(), String> {
    let of = |view: &TransactionView| (account, view.stan);
    let approved: BTreeSet<_> =
        views.iter().filter(|view| view.reason.is_some_and(domain::Reason::is_approval)).map(of).collect();
    let seen = world.processor.approved.iter().filter(|(whose, _)| *whose == account);
    if let Some((_, stan)) = seen.clone().find(|seen| !approved.contains(seen)) {
        return Err(format!(
            "acct_{account}: the processor has seen request {stan} approved, the switch has not"
        ));
    }
    if world.switch.crashes > 0 {
        // A switch that dies after it has refused may find the approval in its journal, and not the refusal.
        return Ok(());
    }
    let still_holds = views.iter().filter(|view| view.state == TransactionState::Approved).map(of);
    // An answer that was given again may have been seen by whoever repeated the request: it stands.
    let (refused, repeated) = (&world.processor.refused, &world.processor.repeated);
    let wrong = still_holds.filter(|key| {
        refused.contains(key) && !repeated.contains(key) && !world.processor.approved.contains(key)
    });
    match wrong.into_iter().next() {
        Some((_, stan)) => Err(format!("acct_{account}: request {stan} was refused, and holds money")),
        None => Ok(()),
    }
}

fn account_agrees(world: &World, account: usize) -> Result<(), String> {
    let (shard, now) = (&world.switch.shards[account], world.now.utc);
    let Reply::Account(mine) = shard.inquire(Inquiry::Account(domain::AccountNo(0)), now) else {
        return Err("the account is gone".to_owned());
    };
    let Reply::Totals(totals) = shard.inquire(Inquiry::Totals, now) else {
        return Err("there are no totals".to_owned());
    };
    let totals = totals.get(&asset().code()).copied().unwrap_or_default();
    let theirs = world.service.books().view();
    let theirs = theirs.account(&account_id(account), asset().code()).unwrap();
    let name = account_id(account);
    same(&format!("{name} held"), &mine.balance.held, &theirs.held)?;
    same(&format!("{name} spent"), &totals.settled.minus(totals.refunded).unwrap(), &theirs.spent)?;
    same(&format!("{name} at the switch"), &mine.balance.available(), &Units::ZERO)?;
    same(&format!("{name} duties that never came"), &0, &theirs.missing)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, mine: &T, theirs: &T) -> Result<(), String> {
    if mine == theirs {
        Ok(())
    } else {
        Err(format!("{what}: the switch has {mine:?}, the service {theirs:?}"))
    }
}
