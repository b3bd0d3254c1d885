"""Models USART1-6 of the STM32F7 (RM0385 chapter 31): one receive register each, overrun, the real baud rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from testbeds.timebase import SECOND
from testbeds.virtual.bus import Device
from testbeds.virtual.vtime import VirtualTime

CR1, CR2, CR3, BRR, GTPR, RTOR, RQR, ISR, ICR, RDR, TDR = range(0x00, 0x2C, 4)
ORE, RXNE, TC, TXE, TEACK, REACK = 1 << 3, 1 << 5, 1 << 6, 1 << 7, 1 << 21, 1 << 22
UE, RE, TE, RXNEIE, TCIE, TXEIE, OVER8 = 1 << 0, 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 7, 1 << 15
ICR_TO_ISR = 0x1F | 1 << 6  # PE FE NF ORE IDLE and TC clear at the same position in ICR and ISR (RM0385 31.8.9)


class Usart(Device):
    """Models one USART.

    Whoever is on the other end sets `on_byte(byte, start_t, end_t)` for what the firmware sends and calls
    `deliver` for what it receives. `tx_wired()` and `rx_wired()` tell whether a pin carries the signal.
    """

    kept = (
        "cr", "brr", "isr", "rdr", "holding", "tx_start_t", "tx_byte", "rx_queue", "rx_times", "overruns",
        "bytes_in", "bytes_out", "lost",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        base: int,
        clock_bit: tuple[int, int],
        time: VirtualTime,
        kernel_hz: Callable[[], int],
        on_irq: Callable[[], None],
    ) -> None:
        super().__init__(f"USART{number}", base)
        self.number, self.clock_bit = number, clock_bit
        self._time, self._kernel_hz, self._on_irq = time, kernel_hz, on_irq
        self.on_byte: Callable[[int, int, int], None] | None = None
        self.on_received: Callable[[], None] = lambda: None
        self.tx_wired: Callable[[], bool] = lambda: True
        self.rx_wired: Callable[[], bool] = lambda: True
        self.reset()

    def reset(self) -> None:
        self._time.cancel(self._shifted)
        self._time.cancel(self._received)
        self.cr = [0, 0, 0, 0, 0, 0]  # CR1 CR2 CR3 BRR(unused) GTPR RTOR
        self.brr = 0
        self.isr = TC | TXE
        self.rdr = 0
        self.holding: int | None = None  # the byte in TDR, which waits for the shift register
        self.tx_byte: int | None = None  # the byte in the shift register
        self.tx_start_t = 0
        self.rx_queue: deque[int] = deque()
        self.rx_times: deque[int] = deque()  # when each byte's stop bit ends
        self.overruns = self.bytes_in = self.bytes_out = self.lost = 0

    # --- timing ---
    @property
    def baud(self) -> float:
        """Return the baud rate that BRR gives; 0 while unset."""
        if self.brr < 16:
            return 0.0
        if self.cr[0] & OVER8:
            return 2 * self._kernel_hz() / ((self.brr & 0xFFF0) | (self.brr & 7) << 1)
        return self._kernel_hz() / self.brr

    def frame_t(self) -> int:
        """Return the duration of one frame: start, data, stop bits."""
        divider = ((self.brr & 0xFFF0) | (self.brr & 7) << 1) if self.cr[0] & OVER8 else 2 * self.brr
        bits = 10 + (1 if self.cr[0] >> 12 & 1 else 0) + (1 if self.cr[1] >> 12 & 3 == 2 else 0)
        return bits * divider * SECOND // (2 * self._kernel_hz())

    # --- registers ---
    def read(self, offset: int) -> int | None:
        self._time.run_due()
        if offset == ISR:
            return self.status
        if offset == RDR:
            self.isr &= ~RXNE
            return self.rdr
        if offset == BRR:
            return self.brr
        if offset in (RQR, ICR):
            return 0
        if offset == TDR:
            return self.holding or 0
        return self.cr[offset // 4] if offset <= RTOR else None

    def write(self, offset: int, value: int, mask: int) -> bool:
        now = self._time.run_due()
        if offset == TDR:
            self._transmit(value & 0x1FF, now)
        elif offset == ICR:
            self.isr &= ~(value & ICR_TO_ISR)
        elif offset == RQR:
            if value & 1 << 3:
                self.isr &= ~RXNE
            if value & 1 << 4:
                self.holding = None
                self.isr |= TXE
        elif offset == BRR:
            if not self.cr[0] & UE:  # the chip ignores it while enabled
                self.brr = (self.brr & ~mask | value) & 0xFFFF
        elif offset <= RTOR:
            k = offset // 4
            self.cr[k] = self.cr[k] & ~mask | value
            if offset == CR1 and not self.cr[0] & UE:
                self.isr = TC | TXE
        elif offset != RDR:
            return False
        self._on_irq()
        return True

    @property
    def status(self) -> int:
        """Return ISR as the guest reads it now."""
        enabled = self.cr[0] & UE
        acks = (TEACK if enabled and self.cr[0] & TE else 0) | (REACK if enabled and self.cr[0] & RE else 0)
        return self.isr | acks

    @property
    def irq(self) -> bool:
        """Tell whether the interrupt line is up."""
        cr1 = self.cr[0]
        return bool(
            (cr1 & RXNEIE and self.isr & (RXNE | ORE))
            or (cr1 & TXEIE and self.isr & TXE)
            or (cr1 & TCIE and self.isr & TC)
        )

    # --- sending ---
    def _transmit(self, byte: int, now: int) -> None:
        if not (self.cr[0] & UE and self.cr[0] & TE and self.brr >= 16):
            self.lost += 1
            return
        self.isr &= ~TC
        if self.tx_byte is None:
            self._shift(byte, now)
        else:
            if self.holding is not None:
                self.lost += 1  # it was written over before it was sent
            self.holding = byte
            self.isr &= ~TXE

    def _shift(self, byte: int, now: int) -> None:
        self.tx_byte, self.tx_start_t = byte, now
        self._time.at(now + self.frame_t(), self._shifted)

    def _shifted(self, t: int) -> None:
        byte, self.tx_byte = self.tx_byte, None
        self.bytes_out += 1
        if self.on_byte is not None and byte is not None and self.tx_wired():
            self.on_byte(byte & 0xFF, self.tx_start_t, t)
        if self.holding is not None:
            following, self.holding = self.holding, None
            self.isr |= TXE
            self._shift(following, t)
        else:
            self.isr |= TC
        self._on_irq()

    # --- receiving ---
    def deliver(self, data: bytes, start_t: int, frame_t: int | None = None) -> int:
        """Receive bytes from `start_t` on, back to back behind what is coming already; return when the last ends."""
        each = frame_t or self.frame_t()
        idle = not self.rx_queue
        t = start_t if idle else max(start_t, self.rx_times[-1])
        for byte in data:
            t += each
            self.rx_queue.append(byte)
            self.rx_times.append(t)
        if idle and self.rx_queue:
            self._time.at(self.rx_times[0], self._received)
        return t

    def _received(self, _t: int) -> None:
        byte = self.rx_queue.popleft()
        self.rx_times.popleft()
        if self.rx_queue:
            self._time.at(self.rx_times[0], self._received)
        if not (self.cr[0] & UE and self.cr[0] & RE and self.rx_wired()):
            self.lost += 1
            return
        self.bytes_in += 1
        if self.isr & RXNE:
            self.overruns += 1  # the new byte is lost, the unread one stays (RM0385 31.5.3)
            self.isr |= ORE
        else:
            self.rdr = byte
            self.isr |= RXNE
        self.on_received()
        self._on_irq()
