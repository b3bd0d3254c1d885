"""Defines what hosts an ESP-AT module, and how long the module itself takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class ModuleTiming:
    """Holds how long the module itself takes: assumed, not measured. Firmware builds differ; a bench file sets it."""

    command_us: float = 200.0  # from the end of a command to its answer
    publish_us: float = 500.0  # from the last payload byte to the packet's start on the air
    receive_us: float = 500.0  # from a packet's end on the air to the first byte to the device
    join_ms: float = 1500.0  # AT+CWJAP
    boot_ms: float = 500.0  # from power or reset to "ready"
    # AT+MQTTCLEAN waits for its client's task. esp-mqtt polls an open connection once a second, and without one sleeps
    # for half its reconnect time of 10 s (ESP-IDF 5, esp-mqtt's mqtt_client.c: MQTT_POLL_READ_TIMEOUT_MS,
    # MQTT_RECON_DEFAULT_MS). The command's own limit is 10 s, 15 s in later versions (ESP-AT user guide).
    clean_ms: float = 1000.0  # connected
    clean_lost_ms: float = 5000.0  # the connection was lost
    beacon_ms: float = 102.4  # an access point's usual interval; what a sleeping module waits for
    # Bytes that its MQTT client hands to TCP at a time, Nagle's algorithm on; 0: a message in one write. esp-mqtt
    # 5a9ba05: MQTT_BUFFER_SIZE is 1024 unless set, and neither it nor its transport sets TCP_NODELAY (docs/link.md).
    write_bytes: int = 1024
    max_publish_bytes: int = 65_552  # AT's own default is smaller: an ESP32 build sets its MQTT buffers


class ModuleHost(ABC):
    """Hosts the module. Times are in units of testbeds.timebase on the host's clock."""

    @abstractmethod
    def send(self, data: bytes, at: int) -> int:
        """Send bytes to the device from `at` on, or behind what is still being sent; return when the last one ends."""

    @abstractmethod
    def set_baud(self, baud: int, at: int) -> None:
        """Set the rate of the module's UART to `baud` from `at` on."""

    @abstractmethod
    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        """Connect to the broker. Returns False when it can't be reached or refuses."""

    @abstractmethod
    def subscribe(self, at: int, topic: str) -> bool:
        """Subscribe with QoS 0. Returns False when the broker refuses."""

    @abstractmethod
    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Publish; the packet starts on the air at `at`. Returns False when there is no connection."""

    @abstractmethod
    def disconnect(self, at: int) -> None:
        """Close the connection to the broker."""
