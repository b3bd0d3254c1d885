"""Models TIM2-TIM5: up-counters with update and compare flags (RM0385 chapter 26). Channels drive no pins."""

from __future__ import annotations

from collections.abc import Callable

from testbeds.timebase import SECOND
from testbeds.virtual.bus import Registers
from testbeds.virtual.vtime import VirtualTime

CR1, CR2, SMCR, DIER, SR, EGR, CCMR1, CCMR2, CCER, CNT, PSC, ARR = range(0x00, 0x30, 4)
CCR1 = 0x34
CEN, UDIS, URS, OPM = 1, 2, 4, 8


class Timer(Registers):
    """Models a general-purpose timer of `bits` width. Prescaler and reload act from the next update, as on the chip."""

    kept = ("values", "start_t", "start_count", "prescaler", "seen", "on")

    def __init__(
        self,
        number: int,
        base: int,
        bits: int,
        time: VirtualTime,
        clock_hz: Callable[[], int],
        on_irq: Callable[[], None],
    ) -> None:
        self.top = (1 << bits) - 1
        self.resets = dict.fromkeys((*range(0x00, 0x30, 4), *range(0x34, 0x44, 4), 0x48, 0x4C, 0x50), 0)
        self.resets[ARR] = self.top
        self.clock_bit = (0x40, number - 2)
        self._time, self._clock_hz, self._on_irq = time, clock_hz, on_irq
        self.on_alarm: Callable[[], None] = lambda: None
        super().__init__(f"TIM{number}", base)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self._time.cancel(self._event)
        self.on = False
        self.start_t, self.start_count, self.prescaler = 0, 0, 0
        self.seen = 0  # ticks since start that flags have been raised for

    # --- counting ---
    def _ticks(self, t: int) -> int:
        """Return the counts since the start of this stretch."""
        if not self.on:
            return 0
        return (t - self.start_t) * self._clock_hz() // ((self.prescaler + 1) * SECOND)

    def _t_of(self, ticks: int) -> int:
        """Return when that many counts have passed."""
        return self.start_t - (-ticks * (self.prescaler + 1) * SECOND // self._clock_hz())

    @property
    def _period(self) -> int:
        return self.values[ARR] + 1

    def count(self, t: int) -> int:
        return (self.start_count + self._ticks(t)) % self._period

    def _ticks_to(self, target: int, after: int) -> int:
        """Return the counts from the start until the counter next holds `target`, later than `after` counts."""
        first = (target - self.start_count) % self._period
        return first if first > after else first + ((after - first) // self._period + 1) * self._period

    def _compares(self) -> list[tuple[int, int]]:
        """Return (status bit, compare value) of the four channels; a compare register at 0 is taken as unused."""
        return [
            (k + 1, self.values[CCR1 + 4 * k]) for k in range(4) if 0 < self.values[CCR1 + 4 * k] <= self.values[ARR]
        ]

    def _settle(self, t: int) -> None:
        """Raise the flags of everything that happened up to `t`, then arrange for the next event."""
        self._time.cancel(self._event)
        if not self.on:
            return
        ticks = self._ticks(t)
        if ticks > self.seen:
            if self._ticks_to(0, self.seen) <= ticks:
                if not self.values[CR1] & UDIS:
                    self.values[SR] |= 1
                if self.values[CR1] & OPM:
                    self._stop(0)
                elif self.prescaler != self.values[PSC]:
                    self._restart(self._t_of(self._ticks_to(0, self.seen)), 0)
                    ticks = self._ticks(t)
            for bit, value in self._compares():
                if self.on and self._ticks_to(value, self.seen) <= ticks:
                    self.values[SR] |= 1 << bit
            self.seen = ticks
        enabled = self.values[DIER]
        if self.on and enabled & 0x1F:
            waits = [self._ticks_to(0, self.seen)] if enabled & 1 else []
            waits += [self._ticks_to(value, self.seen) for bit, value in self._compares() if enabled >> bit & 1]
            if waits:
                self._time.at(self._t_of(min(waits)), self._event, periodic=True)
        alarm = self.alarm_t()
        if alarm is not None:
            self._time.at(alarm, self._event)

    def alarm_t(self) -> int | None:
        """Return when a compare without an interrupt comes up, if within half the counter's range.

        Firmware that polls the counter against a deadline writes it there, so that a debugger, or this emulator, sees
        when the wait ends.
        """
        if not self.on:
            return None
        waits = [
            self._ticks_to(value, self.seen) for bit, value in self._compares() if not self.values[DIER] >> bit & 1
        ]
        near = [w for w in waits if w - self.seen <= self._period // 2]
        return self._t_of(min(near)) if near else None

    def _event(self, t: int) -> None:
        self._settle(t)
        self.on_alarm()
        self._on_irq()

    def _restart(self, t: int, count: int) -> None:
        self.start_t, self.start_count, self.prescaler, self.seen = t, count, self.values[PSC], 0

    def _stop(self, count: int) -> None:
        self.on, self.start_count = False, count
        self.values[CR1] &= ~CEN

    @property
    def irq(self) -> bool:
        return bool(self.values[SR] & self.values[DIER] & 0x5F)

    # --- registers ---
    def read(self, offset: int) -> int | None:
        now = self._time.run_due()
        if offset == CNT:
            return self.count(now)
        if offset == SR:
            self._settle(now)
        return 0 if offset == EGR else super().read(offset)

    def write(self, offset: int, value: int, mask: int) -> bool:
        now = self._time.run_due()
        if offset not in self.values:
            return False
        held = self.count(now)
        if offset == SR:
            self._settle(now)
            self.values[SR] &= value | ~mask
        elif offset == EGR:
            if value & 1:
                self._restart(now, 0)
                if not self.values[CR1] & (UDIS | URS):
                    self.values[SR] |= 1
            self.values[SR] |= value & 0x1E
        else:
            full = self.store(offset, value, mask)
            if offset == CNT:
                self._restart_keeping_prescaler(now, full & self.top)
            elif offset == ARR:
                self.values[ARR] = full & self.top
                self._restart_keeping_prescaler(now, held)
            elif offset == CR1 and bool(full & CEN) != self.on:
                if full & CEN:
                    self.on = True
                    self._restart_keeping_prescaler(now, held)
                else:
                    self.on, self.start_count = False, held
        self._settle(now)
        self._on_irq()
        return True

    def _restart_keeping_prescaler(self, t: int, count: int) -> None:
        kept = self.prescaler
        self._restart(t, count)
        self.prescaler = kept
