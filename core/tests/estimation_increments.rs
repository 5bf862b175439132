//! Day by day is all at once, to the bit; a state is what it was made from; what permutations and units must not change.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod estimation_truth;

use diantan_core::estimation::{
    Accumulator, Charger, Estimation, EstimationError, Settings, Windows, estimate,
};
use estimation_truth::{Station, station};
use proptest::prelude::*;

fn accumulator(truth: &Station, full: &Estimation) -> Accumulator {
    Accumulator::new(truth.settings(), truth.chargers(), full.reference.clone()).unwrap()
}

/// The windows from one row to another.
fn part(truth: &Station, from: usize, until: usize) -> Windows {
    let cut = |column: &Vec<f64>| column[from..=until].to_vec();
    let registers: Vec<Vec<f64>> = truth.registers.iter().map(cut).collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    let master = cut(&truth.master);
    let mut windows =
        Windows::from_registers(&truth.times_ms[from..=until], &master, &columns).unwrap();
    for (number, sessions) in truth.sessions.iter().enumerate() {
        windows.set_sessions(number, sessions).unwrap();
    }
    windows
}

fn bits(found: &Estimation) -> Vec<u64> {
    let numbers = found.chargers.iter().flat_map(|one| {
        let offset = one.offset_s.unwrap();
        [
            one.error.value,
            one.error.u,
            one.probability,
            one.altered,
            offset.value,
            one.energy_kwh,
        ]
    });
    let station = [
        found.gain.value,
        found.fixed_load_kw.value,
        found.trunk_loss.u,
        found.scale,
        found.chi_square,
    ];
    numbers.chain(station).map(f64::to_bits).collect()
}

#[test]
fn days_added_are_the_whole_history_to_the_bit() {
    let truth = station(|plan| {
        plan.days = 12;
        plan.chargers = 6;
        plan.altered = vec![(2, 0.03)];
        plan.offset_sd_s = 30.0;
        plan.gross = (0.005, 4.0);
    });
    let full = truth.estimate();
    let mut daily = accumulator(&truth, &full);
    let mut once = accumulator(&truth, &full);
    once.push(&truth.windows()).unwrap();
    let mut sizes = Vec::new();
    for day in 0..12 {
        daily.push(&part(&truth, day * 96, (day + 1) * 96)).unwrap();
        // Each night the state goes to the disk and comes back.
        let state = daily.to_bytes();
        sizes.push(state.len());
        let back = Accumulator::from_bytes(truth.settings(), truth.chargers(), &state).unwrap();
        assert_eq!(back, daily);
        daily = back;
    }
    let (daily, once) = (daily.estimate().unwrap(), once.estimate().unwrap());
    assert_eq!(bits(&daily), bits(&once));
    assert_eq!(bits(&daily), bits(&full), "what the reference comes from");
    assert_eq!(daily.windows, 1152);
    assert!(sizes.iter().all(|size| *size < 120_000), "{sizes:?}");
}

#[test]
fn a_state_cut_or_changed_is_refused() {
    let truth = station(|plan| {
        plan.days = 3;
        plan.chargers = 2;
        plan.altered = Vec::new();
    });
    let mut whole = accumulator(&truth, &truth.estimate());
    whole.push(&truth.windows()).unwrap();
    let state = whole.to_bytes();
    let restore = |bytes: &[u8]| Accumulator::from_bytes(truth.settings(), truth.chargers(), bytes);
    for length in (0..state.len()).step_by(7) {
        assert!(matches!(
            restore(&state[..length]),
            Err(EstimationError::State(_))
        ));
    }
    for place in (0..state.len()).step_by(11) {
        let mut other = state.clone();
        other[place] ^= 0x40;
        assert!(
            matches!(restore(&other), Err(EstimationError::State(_))),
            "{place}"
        );
    }
    let mut settings = truth.settings();
    settings.jitter_s = 1.5;
    let refused = Accumulator::from_bytes(settings, truth.chargers(), &state).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "not a state of an error estimation: it was made with other settings"
    );
    assert_eq!(restore(&state).unwrap(), whole);
}

/// CRC-32 of its own, so that a forged state gets past the checksum.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in &body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    body.extend_from_slice(&(!crc).to_le_bytes());
    body
}

#[test]
fn a_forged_state_is_refused_or_harmless() {
    let truth = station(|plan| {
        plan.days = 2;
        plan.chargers = 2;
        plan.altered = Vec::new();
    });
    let mut whole = accumulator(&truth, &truth.estimate());
    whole.push(&truth.windows()).unwrap();
    let state = whole.to_bytes();
    let body = &state[..state.len() - 4];
    let mut taken = 0;
    for place in (12..body.len()).step_by(40) {
        for forged in [
            u64::MAX,
            0,
            1 << 40,
            f64::NAN.to_bits(),
            f64::INFINITY.to_bits(),
            1e300_f64.to_bits(),
        ] {
            let mut other = body.to_vec();
            let end = (place + 8).min(other.len());
            other[place..end].copy_from_slice(&forged.to_le_bytes()[..end - place]);
            if let Ok(mut restored) =
                Accumulator::from_bytes(truth.settings(), truth.chargers(), &sealed(other))
            {
                taken += 1;
                let _ = restored.estimate();
                let _ = restored.push(&part(&truth, 10, 20));
            }
        }
    }
    assert!(taken > 0);
}

/// Where the flags of reversed chargers begin: after the fingerprint, five columns, five numbers and their count.
fn flags(state: &[u8]) -> usize {
    let mut place = 12;
    for _ in 0..5 {
        let count = u64::from_le_bytes(state[place..place + 8].try_into().unwrap());
        place += 8 + 8 * usize::try_from(count).unwrap();
    }
    place + 5 * 8 + 8
}

#[test]
fn a_flag_is_0_or_1() {
    let truth = station(|plan| {
        plan.days = 2;
        plan.chargers = 2;
        plan.altered = Vec::new();
    });
    let state = accumulator(&truth, &truth.estimate()).to_bytes();
    let mut body = state[..state.len() - 4].to_vec();
    let place = flags(&body);
    assert_eq!(body[place..place + 8], 0_u64.to_le_bytes());
    body[place] = 2;
    let refused = Accumulator::from_bytes(truth.settings(), truth.chargers(), &sealed(body));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "not a state of an error estimation: a flag is neither 0 nor 1"
    );
}

#[test]
fn windows_out_of_order_change_nothing() {
    let truth = station(|plan| {
        plan.days = 2;
        plan.chargers = 3;
        plan.altered = Vec::new();
    });
    let mut whole = accumulator(&truth, &truth.estimate());
    whole.push(&part(&truth, 0, 100)).unwrap();
    let before = whole.clone();
    let refused = whole.push(&part(&truth, 90, 120)).unwrap_err();
    assert!(
        matches!(refused, EstimationError::Order { name: "window", .. }),
        "{refused}"
    );
    assert!(matches!(
        whole.push(&Windows::empty(4)),
        Err(EstimationError::Length { .. })
    ));
    assert_eq!(whole, before);
    assert_eq!(whole.end_ms(), Some(truth.times_ms[100]));
}

fn close(left: &Estimation, right: &Estimation, order: &[usize], tolerance: f64) {
    for (place, one) in left.chargers.iter().enumerate() {
        let other = &right.chargers[order[place]];
        assert!(
            (one.error.value - other.error.value).abs() < tolerance,
            "{one:?} and {other:?}"
        );
        assert!(
            (one.error.u / other.error.u - 1.0).abs() < 1e-3,
            "{one:?} and {other:?}"
        );
        assert_eq!(one.decision, other.decision);
    }
}

fn small(seed: u64) -> Station {
    station(|plan| {
        plan.seed = seed;
        plan.days = 6;
        plan.chargers = 4;
        plan.altered = vec![(1, 0.035)];
    })
}

fn with(truth: &Station, order: &[usize], energies: impl Fn(f64) -> f64) -> Windows {
    let registers: Vec<Vec<f64>> = order
        .iter()
        .map(|number| {
            truth.registers[*number]
                .iter()
                .map(|kwh| energies(*kwh))
                .collect()
        })
        .collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    let master: Vec<f64> = truth.master.iter().map(|kwh| energies(*kwh)).collect();
    let mut windows = Windows::from_registers(&truth.times_ms, &master, &columns).unwrap();
    for (place, number) in order.iter().enumerate() {
        windows
            .set_sessions(place, &truth.sessions[*number])
            .unwrap();
    }
    windows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_chargers_does_not_matter(seed in 1_u64..1000, order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle()) {
        let truth = small(seed);
        let plain = truth.estimate();
        let other = estimate(&truth.settings(), &truth.chargers(), &with(&truth, &order, |kwh| kwh)).unwrap();
        let mut back = vec![0; 4];
        for (place, number) in order.iter().enumerate() {
            back[*number] = place;
        }
        close(&plain, &other, &back, 1e-7);
    }

    #[test]
    fn where_a_register_begins_does_not_matter(seed in 1_u64..1000, start in 0_u32..5000) {
        let truth = small(seed);
        let moved = with(&truth, &[0, 1, 2, 3], |kwh| kwh + f64::from(start));
        let other = estimate(&truth.settings(), &truth.chargers(), &moved).unwrap();
        close(&truth.estimate(), &other, &[0, 1, 2, 3], 1e-7);
    }

    #[test]
    fn energies_in_another_unit_give_the_same_errors(seed in 1_u64..1000, octave in 1_i32..6) {
        let truth = small(seed);
        let scale = f64::from(octave).exp2();
        let mut settings = truth.settings();
        let mut chargers = truth.chargers();
        settings.trunk_loss = settings.trunk_loss.map(|loss| loss / scale);
        settings.master_step_kwh *= scale;
        settings.floor_kwh *= scale;
        settings.profile_kw *= scale;
        settings.fixed_load.u *= scale;
        if let Some(night) = &mut settings.night {
            night.load.u *= scale;
        }
        for charger in &mut chargers {
            charger.branch_loss = charger.branch_loss.map(|loss| loss / scale);
            charger.step_kwh *= scale;
            charger.max_kw *= scale;
        }
        let scaled = with(&truth, &[0, 1, 2, 3], |kwh| kwh * scale);
        let other = estimate(&settings, &chargers, &scaled).unwrap();
        close(&truth.estimate(), &other, &[0, 1, 2, 3], 1e-7);
    }

    #[test]
    fn more_windows_never_know_less(seed in 1_u64..1000) {
        let truth = small(seed);
        let settings = Settings { fit_noise: false, ..truth.settings() };
        let few = estimate(&settings, &truth.chargers(), &part(&truth, 0, 288)).unwrap();
        let many = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
        prop_assert!(many.gain.u <= few.gain.u * 1.01);
        prop_assert!(many.chargers.iter().zip(&few.chargers).all(|(a, b)| a.identified >= b.identified - 0.05));
    }

    #[test]
    fn any_numbers_get_an_answer(
        cells in prop::collection::vec(prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(-1e300), Just(1e12), Just(0.0), -50.0..50.0_f64,
        ], 3 * 40),
    ) {
        let times: Vec<i64> = (0..=40).map(|row| row * 900_000).collect();
        let (master, rest) = cells.split_at(40);
        let windows = Windows::from_energies(&times, master, &[&rest[..40], &rest[40..]]).unwrap();
        let found = estimate(&Settings::default(), &[Charger::default(), Charger::default()], &windows);
        if let Ok(found) = found {
            for one in &found.chargers {
                prop_assert!(one.error.value.is_finite() && one.error.u > 0.0 && one.probability >= 0.0);
            }
        }
    }
}
