"""What the sweep asks of Ray: the slot of each encoder, how many at once, and how patient to be."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from jobs.config.deadline import checked_deadline
from jobs.config.prices import checked_prices, gpu_type, price_of
from qre.errors import UserError

ACCELERATOR = "ray.io/accelerator-type"  # Ray's label for a node's GPU type


class Slot(BaseModel):
    """What one encoder holds on a node while it runs.

    Attributes:
        up_to_gigabytes: the largest encoder, by its expected memory on the device, that takes this slot; None for any.
        cpus: whole CPUs; BLAS and torch threads follow them.
        gpus: whole GPUs; an encoder with several is spread over them.
        share: how many encoders may hold one GPU together.
        labels: of the node, e.g. {ray.io/accelerator-type: A100}.
        resources: further resources of the node, by their names in Ray.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to_gigabytes: float | None = Field(None, gt=0)
    cpus: int = Field(1, ge=1)
    gpus: int = Field(0, ge=0)
    share: int = Field(1, ge=1)
    labels: dict[str, str] = {}
    resources: dict[str, float] = {}

    @model_validator(mode="after")
    def _one_gpu_is_shared(self):
        if self.share > 1 and self.gpus != 1:
            raise ValueError("share is of one GPU: it goes with gpus: 1")
        return self

    def holds(self, gigabytes: float) -> bool:
        return self.up_to_gigabytes is None or gigabytes <= self.up_to_gigabytes

    @property
    def name(self) -> str:
        """What it asks of a node, in words; one for one slot."""
        gpus = f"{self.gpus} GPU{'s' if self.gpus > 1 else ''}" + (f" shared by {self.share}" if self.share > 1 else "")
        rest = [f"{key}={value}" for key, value in sorted({**self.labels, **self.resources}.items())]
        return ", ".join([f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}", *([gpus] if self.gpus else []), *rest])

    @property
    def gpu_type(self) -> str | None:
        """The GPU type that its label names; None where it may be any, or holds no GPU."""
        label = self.labels.get(ACCELERATOR, "!")
        return None if not self.gpus or label.startswith(("!", "in(")) else gpu_type(label)

    def asked(self) -> dict:
        """It as options of a Ray actor."""
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus / self.share, "resources": dict(self.resources)}
        return {**options, "label_selector": dict(self.labels)} if self.labels else options


class ClusterSettings(BaseModel):
    """What the sweep asks of Ray.

    Attributes:
        address: of a running cluster, or None to start a local one (inside a submitted job: the cluster it was
            submitted to).
        cpus: CPUs of a local cluster; None for all that this process is granted (affinity mask, cgroup), at least 1.
        cpus_per_encoder, gpus_per_encoder: held by one embed actor, where one slot does for all.
        slots: for encoders of several sizes, smallest slot first: each encoder takes the first that holds it, and those
            of the same bound after it are its fall-backs, in order (spot, then on-demand). Classical encoders never
            hold a GPU.
        width_per_slot: most encoders at once in each slot, its fall-backs counted with it; None for as many as the
            cluster holds. With autoscaling it is what the cluster grows to, slot by slot.
        fallback_minutes: after so long without a node of its slot an encoder asks for the next one of the same bound.
        attempts: tries of a unit whose machine failed it before it got any further; an encoder's own fault is never
            tried again.
        stall_minutes: of every stage: a process that is silent for so long is ended and its work tried again; what
            waits for a node for so long, while nothing else moves, is put aside until the next sweep.
        shard_units, shard_megabytes: most encoders, and most bytes of embeddings, in one feature shard.
        reduce_cpus: held by the task that makes the atlas.
        cache_gigabytes: most that snapshots of the hub may take on a node; what was used longest ago goes first. None:
            no bound.
        grace_seconds: how long encoders in flight may go on after a stop was asked for.
        shared_store: the store's folder is on a file system that all nodes share. A bucket always is.
        prices: of a GPU hour, by GPU type.
        budget: most that the sweep may spend on GPU hours and on tokens of endpoints, over all its runs, in the
            currency of the prices.
        deadline: no pass is begun after it: a moment with its zone, or a duration from when the run begins its work.
        max_failed: the exit code is 0 also where at most so many encoders failed: a count, or a share ("5%").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str | None = None
    cpus: int | None = Field(None, ge=1)
    cpus_per_encoder: int = Field(1, ge=1)
    gpus_per_encoder: int = Field(0, ge=0)
    slots: tuple[Slot, ...] = ()
    width_per_slot: int | None = Field(None, ge=1)
    fallback_minutes: float = Field(10.0, gt=0)
    attempts: int = Field(3, ge=1)
    stall_minutes: float = Field(30.0, gt=0)
    shard_units: int = Field(16, ge=1)
    shard_megabytes: int = Field(512, ge=1)
    reduce_cpus: int = Field(1, ge=1)
    cache_gigabytes: float | None = Field(None, gt=0)
    grace_seconds: float = Field(10.0, ge=0)
    shared_store: bool = False
    prices: dict[str, float] = {}
    budget: float | None = Field(None, gt=0, allow_inf_nan=False)
    deadline: str | None = None
    max_failed: int | str = 0

    @field_validator("prices")
    @classmethod
    def _known_types(cls, value: dict[str, float]) -> dict[str, float]:
        try:
            return checked_prices(value)
        except UserError as error:
            raise ValueError(str(error)) from None

    @field_validator("deadline", mode="before")
    @classmethod
    def _moment_or_duration(cls, value: object) -> str | None:
        return None if value is None else checked_deadline(value)

    @field_validator("max_failed", mode="before")
    @classmethod
    def _count_or_share(cls, value: object) -> int | str:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if (
            isinstance(value, str)
            and (share := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value.strip()))
            and float(share[1]) <= 100
        ):
            return f"{share[1]}%"
        raise ValueError('give a count from 0 on, or a share of the encoders as "5%"')

    @model_validator(mode="after")
    def _budget_can_be_kept(self):
        if self.budget is None:
            return self
        asked = [slot.labels[ACCELERATOR] for slot in self.slots if slot.gpus and ACCELERATOR in slot.labels]
        for label in asked:
            if not label.startswith(("!", "in(")) and price_of(gpu_type(label), self.prices) is None:
                raise ValueError(f"budget cannot be kept: a slot asks for {label}, which has no price")
        return self

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values):
        if isinstance(values, dict) and "width" in values:
            raise ValueError("width is called width_per_slot: it bounds each slot, not the whole sweep")
        return values

    @model_validator(mode="after")
    def _slots_or_one(self):
        if self.slots and {"cpus_per_encoder", "gpus_per_encoder"} & self.model_fields_set:
            raise ValueError("give slots, or cpus_per_encoder and gpus_per_encoder, not both")
        bounds = [slot.up_to_gigabytes or float("inf") for slot in self.slots]
        if bounds != sorted(bounds):
            raise ValueError(
                "slots are listed from the smallest up_to_gigabytes to the largest; the one without a bound is last"
            )
        return self

    def slots_for(self, gigabytes: float) -> tuple[Slot, ...]:
        """The slot of an encoder of this expected memory, the largest where none holds it; after it its fall-backs."""
        slots = self.slots or (Slot(cpus=self.cpus_per_encoder, gpus=self.gpus_per_encoder),)
        bound = next((slot for slot in slots if slot.holds(gigabytes)), slots[-1]).up_to_gigabytes
        return tuple({slot.name: slot for slot in slots if slot.up_to_gigabytes == bound}.values())

    def without_price(self, paid: bool) -> str:
        """Why a budget cannot be kept, and the fix; "" where it can.

        Args:
            paid: some encoders are behind endpoints with a price.
        """
        if self.budget is None or (paid and not self.uses_gpus):
            return ""
        if not self.prices:
            return (
                "budget is money: it needs prices, e.g. prices: {L4: 0.80}, or an endpoint with "
                "price_per_million_tokens"
            )
        if not self.uses_gpus:
            return "budget counts GPU hours, and no encoder has a GPU: give gpus_per_encoder, or slots with gpus"
        return ""

    @property
    def patience_seconds(self) -> float:
        """That an encoder waits for a node before it asks for its next slot: less than ends the sweep's patience with
        the last one."""
        return 60 * min(self.fallback_minutes, self.stall_minutes / 2)

    @property
    def uses_gpus(self) -> bool:
        return any(slot.gpus for slot in self.slots) or self.gpus_per_encoder > 0

    @property
    def cpu_slot(self) -> Slot:
        """The slot of an encoder that needs no GPU."""
        return Slot(cpus=min([slot.cpus for slot in self.slots], default=self.cpus_per_encoder))

    @property
    def cache_bytes(self) -> int | None:
        return None if self.cache_gigabytes is None else int(self.cache_gigabytes * 1e9)
