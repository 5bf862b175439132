//! Bad input is recognised and named, and never gets a confident wrong answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{
    Charger, Decision, Estimation, EstimationError, Finding, Known, Night, Reason, Settings,
    Suspicion, Windows, estimate,
};
use estimation_truth::{Plan, Station, station};

fn month(change: impl FnOnce(&mut Plan)) -> Station {
    station(|plan| {
        plan.chargers = 8;
        plan.days = 21;
        plan.altered = vec![(2, 0.04)];
        plan.sessions_known = false;
        change(plan);
    })
}

fn names(found: &Estimation) -> Vec<&'static str> {
    found.findings.iter().map(Finding::name).collect()
}

/// Nobody is accused who is sound, and nobody cleared who is altered.
fn honest(found: &Estimation, truth: &Station) {
    for (one, error) in found.chargers.iter().zip(&truth.errors) {
        match one.decision {
            Decision::Flag => assert!(
                error.abs() > 0.02,
                "{error} flagged: {one:?} {:?}",
                found.findings
            ),
            Decision::Clear => assert!(
                error.abs() < 0.02,
                "{error} cleared: {one:?} {:?}",
                found.findings
            ),
            Decision::Undetermined => assert!(one.reason.is_some()),
        }
    }
}

fn nobody_decided(found: &Estimation) {
    for one in &found.chargers {
        assert_eq!(one.decision, Decision::Undetermined, "{one:?}");
        assert_eq!(one.reason, Some(Reason::Station), "{:?}", found.findings);
    }
}

#[test]
fn a_sound_station_has_no_findings() {
    let truth = month(|_| {});
    let found = truth.estimate();
    assert_eq!(names(&found), Vec::<&str>::new());
    honest(&found, &truth);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
    assert!(
        found
            .chargers
            .iter()
            .all(|one| one.decision != Decision::Undetermined),
        "{:?}",
        found.chargers
    );
}

#[test]
fn fewer_windows_than_unknowns() {
    let mut truth = month(|plan| plan.days = 1);
    truth.times_ms.truncate(21);
    truth.master.truncate(21);
    for register in &mut truth.registers {
        register.truncate(21);
    }
    let found = truth.estimate();
    assert!(found.findings.iter().any(
        |finding| matches!(finding, Finding::FewWindows { windows: 20, unknowns } if *unknowns > 20)
    ));
    honest(&found, &truth);
    let undetermined = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined);
    for one in undetermined {
        assert!(
            matches!(one.reason, Some(Reason::FewWindows | Reason::NeverCharged)),
            "{one:?}"
        );
    }
    assert!(found.chargers.iter().all(|one| one.error.u > 0.001));
}

#[test]
fn a_charger_that_never_charged() {
    let mut truth = month(|_| {});
    let idle = vec![17.0; truth.master.len()];
    // The others' windows are not held up by one that was never read.
    for never in [idle, vec![f64::NAN; truth.master.len()]] {
        let own = std::mem::replace(&mut truth.registers[5], never);
        let mut master = truth.master.clone();
        for (cell, kwh) in master.iter_mut().zip(&own) {
            *cell -= kwh / (1.0 + truth.errors[5]);
        }
        let kept = std::mem::replace(&mut truth.master, master);
        let found = truth.estimate();
        assert!(
            found
                .findings
                .contains(&Finding::NeverCharged { charger: 5 }),
            "{:?}",
            found.findings
        );
        let one = &found.chargers[5];
        assert_eq!(
            (one.decision, one.reason),
            (Decision::Undetermined, Some(Reason::NeverCharged))
        );
        assert!(one.error.u > 0.005 && one.identified < 0.01, "{one:?}");
        assert_eq!(found.chargers[2].decision, Decision::Flag);
        honest(&found, &truth);
        truth.master = kept;
        truth.registers[5] = own;
    }
}

#[test]
fn identical_patterns() {
    let mut truth = month(|plan| plan.altered = vec![(2, 0.03)]);
    // Charger 6 counts whenever 2 does, and as much, but for its error.
    let scale = (1.0 + truth.errors[6]) / (1.0 + truth.errors[2]);
    let twin: Vec<f64> = truth.registers[2]
        .iter()
        .map(|kwh| (kwh * scale * 100.0).floor() / 100.0)
        .collect();
    for (master, (old, new)) in truth
        .master
        .iter_mut()
        .zip(truth.registers[6].iter().zip(&twin))
    {
        *master += (new - old) / (1.0 + truth.errors[6]);
    }
    truth.registers[6] = twin;
    let found = truth.estimate();
    let pair = found
        .findings
        .iter()
        .find(|finding| finding.name() == "collinear")
        .unwrap();
    assert_eq!(pair.chargers(), vec![2, 6]);
    for number in [2, 6] {
        let one = &found.chargers[number];
        assert_ne!(one.decision, Decision::Flag, "{one:?}");
        assert!(one.error.u > 0.004, "{one:?}");
        assert!(
            one.reason.is_none_or(|reason| reason == Reason::Collinear),
            "{one:?}"
        );
    }
    assert_eq!(found.chargers[2].decision, Decision::Undetermined);
    honest(&found, &truth);
}

#[test]
fn a_reversed_charger() {
    // Its register runs backwards.
    let mut truth = month(|_| {});
    for kwh in &mut truth.registers[3] {
        *kwh = 50_000.0 - *kwh;
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| matches!(finding, Finding::Negative { charger: 3, windows, kwh } if *windows > 100 && *kwh > 500.0));
    assert!(told, "{:?}", found.findings);
    assert_eq!(found.chargers[3].decision, Decision::Undetermined);
    assert_eq!(found.chargers[3].reason, Some(Reason::Implausible));
    // It is read the right way round, and its energy was going the other way.
    let mut truth = month(|_| {});
    let own = truth.registers[3].clone();
    for (master, kwh) in truth.master.iter_mut().zip(&own) {
        *master -= 2.0 * kwh;
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| matches!(finding, Finding::Implausible { charger: 3, suspicion: Suspicion::Reversed, ratio } if (ratio + 1.0).abs() < 0.1));
    let generation = names(&found).contains(&"generation");
    assert!(told || generation, "{:?}", found.findings);
    assert_ne!(found.chargers[3].decision, Decision::Flag);
    honest(&found, &truth);
}

#[test]
fn a_wrong_transformer_ratio_of_the_master() {
    for ratio in [0.5, 0.8, 1.25, 1.5, 2.0, 40.0] {
        let mut truth = month(|_| {});
        for kwh in &mut truth.master {
            *kwh *= ratio;
        }
        let found = truth.estimate();
        let gain = found.findings.iter().find_map(|finding| match finding {
            Finding::Gain { ratio, tension } => Some((*ratio, *tension)),
            _ => None,
        });
        let (told, tension) = gain.unwrap_or_else(|| panic!("{ratio}: {:?}", found.findings));
        assert!(
            (told / ratio - 1.0).abs() < 0.1 && tension > 5.0,
            "{told} for {ratio}"
        );
        assert!(
            !names(&found).contains(&"implausible"),
            "{:?}",
            found.findings
        );
        nobody_decided(&found);
    }
}

#[test]
fn a_wrong_multiplier_of_a_charger() {
    for (multiplier, suspicion) in [
        (2.0, Suspicion::Multiplier),
        (0.5, Suspicion::Multiplier),
        (1e-3, Suspicion::Multiplier),
    ] {
        let mut truth = month(|_| {});
        for kwh in &mut truth.registers[4] {
            *kwh *= multiplier;
        }
        let found = truth.estimate();
        let told = found.findings.iter().any(|finding| matches!(finding, Finding::Implausible { charger: 4, suspicion: other, .. } if *other == suspicion));
        assert!(told, "{multiplier}: {:?}", found.findings);
        assert_eq!(found.chargers[4].reason, Some(Reason::Implausible));
        truth.errors[4] = 0.0;
        honest(&found, &truth);
    }
}

#[test]
fn a_charger_the_master_does_not_see() {
    let mut truth = month(|_| {});
    let own = truth.registers[4].clone();
    for (master, kwh) in truth.master.iter_mut().zip(&own) {
        *master -= kwh / (1.0 + truth.errors[4]);
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| {
        matches!(
            finding,
            Finding::Implausible {
                charger: 4,
                suspicion: Suspicion::NotBehindMaster,
                ..
            }
        )
    });
    assert!(told, "{:?}", found.findings);
    assert_eq!(found.chargers[4].decision, Decision::Undetermined);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
    honest(&found, &truth);
}

/// Add a power to what the master counts.
fn load(truth: &mut Station, kw: impl Fn(f64) -> f64) {
    let mut sum = 0.0;
    for (place, cell) in truth.master.iter_mut().enumerate() {
        *cell += sum;
        sum += kw(place as f64 * 0.25) * 0.25;
    }
}

#[test]
fn a_load_that_no_charger_counts() {
    let mut truth = month(|_| {});
    // A kitchen: 60 kW from 11 to 14 h and from 17 to 21 h on most days.
    load(&mut truth, |hour| {
        let (day, hour) = ((hour / 24.0).floor(), hour % 24.0);
        let open = (11.0..14.0).contains(&hour) || (17.0..21.0).contains(&hour);
        if open && day % 5.0 > 0.5 { 60.0 } else { 0.0 }
    });
    let found = truth.estimate();
    let told = found
        .findings
        .iter()
        .find(|finding| matches!(finding, Finding::UnexplainedLoad { .. }));
    let Some(Finding::UnexplainedLoad { share, kw }) = told else {
        panic!("{:?}", found.findings);
    };
    assert!(*share > 0.03 && (30.0..90.0).contains(kw), "{share} {kw}");
    nobody_decided(&found);
}

#[test]
fn missing_records_of_chargers_are_an_unexplained_load() {
    let mut truth = month(|_| {});
    // For four days nothing of chargers 0 to 3 was recorded, and their registers begin anew where they were.
    let gap = (10 * 96, 14 * 96);
    for register in truth.registers.iter_mut().take(4) {
        let lost = register[gap.1] - register[gap.0];
        let from = register[gap.0];
        for (place, kwh) in register.iter_mut().enumerate().skip(gap.0) {
            *kwh = if place < gap.1 { from } else { *kwh - lost };
        }
    }
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"unexplained_load"),
        "{:?}",
        found.findings
    );
    nobody_decided(&found);
}

#[test]
fn generation_behind_the_master() {
    // Large enough to turn the master backwards, and too small for that.
    for peak in [60.0, 25.0] {
        let mut truth = month(|_| {});
        load(&mut truth, |hour| {
            let (day, hour) = ((hour / 24.0).floor(), hour % 24.0);
            let sun = (std::f64::consts::PI * (hour - 6.0) / 12.0).sin().max(0.0);
            let cloud = 0.4 + 0.6 * ((day * 2.39).sin().abs());
            if (6.0..18.0).contains(&hour) {
                -peak * sun * cloud
            } else {
                0.0
            }
        });
        let found = truth.estimate();
        assert!(
            names(&found).contains(&"generation"),
            "{peak}: {:?}",
            found.findings
        );
        nobody_decided(&found);
    }
}

#[test]
fn storage_behind_the_master() {
    let mut truth = month(|_| {});
    load(&mut truth, |hour| match hour % 24.0 {
        1.0..5.0 => 50.0,
        14.0..18.0 => -45.0,
        _ => 0.0,
    });
    let found = truth.estimate();
    let told = names(&found);
    assert!(
        told.contains(&"generation") || told.contains(&"unexplained"),
        "{:?}",
        found.findings
    );
    nobody_decided(&found);
}

#[test]
fn a_clock_hours_off() {
    for windows in [12_usize, 32] {
        let mut truth = month(|_| {});
        let own = truth.registers[6].clone();
        let count = own.len();
        for (place, kwh) in truth.registers[6].iter_mut().enumerate() {
            // Behind: what it says of an instant it counted so much earlier… later for the rest.
            *kwh = own[(place + windows).min(count - 1)];
        }
        let found = truth.estimate();
        let hours = found.findings.iter().find_map(|finding| match finding {
            Finding::ClockShift {
                charger: 6,
                hours,
                share,
            } => Some((*hours, *share)),
            _ => None,
        });
        let (hours, share) = hours.unwrap_or_else(|| panic!("{windows}: {:?}", found.findings));
        assert!(
            (hours - windows as f64 / 4.0).abs() < 0.3 && share > 0.7,
            "{hours} h, {share}"
        );
        assert!(found.findings.iter().all(
            |finding| !matches!(finding, Finding::ClockShift { charger, .. } if *charger != 6)
        ));
        nobody_decided(&found);
    }
}

#[test]
fn daily_readings_only() {
    let truth = month(|plan| plan.window_minutes = 1440);
    let found = truth.estimate();
    assert!(found.findings.iter().any(
        |finding| matches!(finding, Finding::Daily { hours } if (*hours - 24.0).abs() < 1e-9)
    ));
    honest(&found, &truth);
    let undetermined: Vec<_> = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined)
        .collect();
    assert!(
        undetermined
            .iter()
            .all(|one| matches!(one.reason, Some(Reason::Daily | Reason::FewWindows)))
    );
    let quarter = month(|_| {}).estimate();
    for (daily, fine) in found.chargers.iter().zip(&quarter.chargers) {
        assert!(daily.error.u > 1.2 * fine.error.u);
    }
}

#[test]
fn a_coarse_master() {
    let truth = month(|plan| {
        plan.days = 5;
        plan.master_step = 20.0;
    });
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"master_register"),
        "{:?}",
        found.findings
    );
    honest(&found, &truth);
    let undetermined = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined);
    assert!(undetermined.clone().count() > 0);
    for one in undetermined {
        assert!(
            matches!(one.reason, Some(Reason::MasterRegister)),
            "{one:?}"
        );
    }
}

#[test]
fn a_coarse_master_is_no_reason_where_the_uncertainty_suits() {
    let truth = month(|plan| {
        plan.days = 30;
        plan.master_step = 0.8;
        plan.gain_sd = 0.0001;
        plan.altered = vec![(3, 0.02)];
    });
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"master_register"),
        "{:?}",
        found.findings
    );
    let near = &found.chargers[3];
    assert!(6.0 * near.error.u < 0.02, "{near:?}");
    assert_eq!(near.decision, Decision::Undetermined, "{near:?}");
    assert_eq!(near.reason, Some(Reason::NearLimit));
}

#[test]
fn sessions_of_another_charger() {
    let mut truth = month(|plan| plan.sessions_known = true);
    truth.sessions.swap(1, 5);
    let found = truth.estimate();
    assert!(
        found.findings.contains(&Finding::Swapped {
            first: 1,
            second: 5
        }),
        "{:?}",
        found.findings
    );
    let mut truth = month(|plan| plan.sessions_known = true);
    truth.sessions[1].truncate(10);
    let found = truth.estimate();
    let told = found.findings.iter().any(
        |finding| matches!(finding, Finding::OutsideSessions { charger: 1, share } if *share > 0.8),
    );
    assert!(told, "{:?}", found.findings);
    // Swapped registers are two chargers with each other's names: the balance is the same, and so is what is said of them.
    let mut truth = month(|_| {});
    let plain = truth.estimate();
    truth.registers.swap(1, 2);
    let swapped = truth.estimate();
    assert_eq!(swapped.chargers[1].decision, Decision::Flag);
    assert!((swapped.chargers[1].error.value - plain.chargers[2].error.value).abs() < 1e-9);
}

#[test]
fn broken_readings_are_left_out_and_counted() {
    let mut truth = month(|_| {});
    let place = 500;
    for kwh in truth.registers[1].iter_mut().skip(place) {
        *kwh -= 300.0;
    }
    truth.registers[0][700] += 1e6;
    truth.master[900] = f64::INFINITY;
    let found = truth.estimate();
    assert_eq!(found.excluded, [2, 2, 1]);
    assert_eq!(names(&found), ["excluded"]);
    assert_eq!(
        (
            found.chargers[1].excluded_windows,
            found.chargers[0].excluded_windows
        ),
        (1, 2)
    );
    honest(&found, &truth);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let windows = Windows::empty(1);
    let refused = |change: &dyn Fn(&mut Settings, &mut Charger)| {
        let (mut settings, mut charger) = (Settings::default(), Charger::default());
        change(&mut settings, &mut charger);
        estimate(&settings, &[charger], &windows)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(&|settings, _| settings.sound_sd = 0.0),
        "sound_sd = 0: expected more than 0 and at most 1e6"
    );
    assert_eq!(
        refused(&|settings, _| settings.white = f64::NAN),
        "white = NaN: expected 0 to 1e6"
    );
    let night = |change: &dyn Fn(&mut Night)| {
        refused(&|settings, _| {
            if let Some(own) = &mut settings.night {
                change(own);
            }
        })
    };
    assert_eq!(
        night(&|night| night.to_minute = 1440),
        "night to_minute = 1440: expected 0 to 1439"
    );
    assert_eq!(
        night(&|night| night.utc_offset_minutes = i32::MIN),
        "night utc_offset_minutes = -2147483648: expected -1440 to 1440"
    );
    assert_eq!(
        refused(&|settings, _| settings.strange_share = 1.0),
        "strange_share = 1: expected 0 to less than 1"
    );
    assert_eq!(
        refused(&|settings, _| {
            (settings.clear_below, settings.flag_above) = (0.6, 0.5);
        }),
        "clear_below = 0.6: expected at most flag_above"
    );
    assert_eq!(
        refused(&|_, charger| charger.class_limit = 2.0),
        "charger 0: class_limit = 2: expected more than 0 and less than 1"
    );
    assert_eq!(
        refused(&|_, charger| charger.verified = Some(Known { value: 0.9, u: 0.1 })),
        "charger 0: verified error = 0.9: expected -0.5 to 0.5"
    );
    let two = estimate(
        &Settings::default(),
        &[Charger::default()],
        &Windows::empty(2),
    );
    assert_eq!(
        two.unwrap_err().to_string(),
        "chargers: expected 1 values, got 2"
    );
    let many = vec![Charger::default(); 513];
    assert!(matches!(
        estimate(&Settings::default(), &many, &Windows::empty(513)),
        Err(EstimationError::TooMany { .. })
    ));
    assert!(matches!(
        Windows::from_energies(&[0, 2, 1], &[1.0, 1.0], &[]),
        Err(EstimationError::Order { row: 2, .. })
    ));
    assert!(matches!(
        Windows::from_registers(&[0, 1], &[1.0], &[]),
        Err(EstimationError::Length { .. })
    ));
    let mut some = Windows::from_energies(&[0, 900_000], &[1.0], &[&[1.0]]).unwrap();
    assert!(matches!(
        some.set_sessions(0, &[(5, 5)]),
        Err(EstimationError::Order { .. })
    ));
    for beyond in [1, usize::MAX] {
        assert!(matches!(
            some.set_sessions(beyond, &[]),
            Err(EstimationError::TooMany { .. })
        ));
        assert!(some.energies_kwh(beyond).is_empty());
    }
}

/// What is not what it is taken for says nothing of the master, and so nothing of the others.
#[test]
fn a_reversed_charger_moves_no_other() {
    let sound = month(|_| {}).estimate();
    let mut truth = month(|_| {});
    for kwh in &mut truth.registers[3] {
        *kwh = -*kwh;
    }
    let found = truth.estimate();
    for (number, (with, without)) in found.chargers.iter().zip(&sound.chargers).enumerate() {
        if number != 3 {
            let moved = with.error.value - without.error.value;
            assert!(moved.abs() < 0.0005, "{number}: {moved}");
        }
    }
    assert!((found.trunk_loss.value / sound.trunk_loss.value - 1.0).abs() < 0.01);
}
