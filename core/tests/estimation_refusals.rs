//! Settings, chargers and windows that mean nothing are refused by name.
#![allow(clippy::unwrap_used, reason = "tests")]

use diantan_core::estimation::{
    Charger, EstimationError, Known, Night, Settings, Windows, estimate,
};

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
