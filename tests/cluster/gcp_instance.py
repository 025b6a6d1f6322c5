"""The part of an instance of Google's Compute Engine that gcp.yaml sets, as its interface describes it (discovery
document of compute v1)."""

TEXT, YES = {"type": "string"}, {"type": "boolean"}


def message(**fields) -> dict:
    return {"type": "object", "properties": fields, "additionalProperties": False}


def listed(item: dict) -> dict:
    return {"type": "array", "items": item}


def one_of(*values: str) -> dict:
    return {"enum": list(values)}


DISK = {
    "boot": YES,
    "autoDelete": YES,
    "type": one_of("PERSISTENT", "SCRATCH"),
    "deviceName": TEXT,
    "mode": one_of("READ_ONLY", "READ_WRITE"),
    "initializeParams": message(
        diskSizeGb=TEXT, diskType=TEXT, sourceImage=TEXT, provisionedIops=TEXT, provisionedThroughput=TEXT
    ),
}
SCHEDULING = {
    "provisioningModel": one_of("SPOT", "STANDARD", "FLEX_START", "RESERVATION_BOUND"),
    "instanceTerminationAction": one_of("DELETE", "STOP"),
    "onHostMaintenance": one_of("MIGRATE", "TERMINATE"),
    "automaticRestart": YES,
    "preemptible": YES,
}
INSTANCE = message(
    machineType=TEXT,
    minCpuPlatform=TEXT,
    disks=listed(message(**DISK)),
    serviceAccounts=listed(message(email=TEXT, scopes=listed(TEXT))),
    metadata=message(items=listed(message(key=TEXT, value=TEXT))),
    scheduling=message(**SCHEDULING),
    guestAccelerators=listed(message(acceleratorType=TEXT, acceleratorCount={"type": "integer"})),
    networkInterfaces=listed({"type": "object"}),
    tags=message(items=listed(TEXT)),
    labels={"type": "object"},
)
