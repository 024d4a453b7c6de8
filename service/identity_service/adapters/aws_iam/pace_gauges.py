"""How fast each account is called, and who waits for it, for whoever scrapes."""

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from identity_service.adapters.aws_iam.pacing import Pacer

ACCOUNT = "cloud.account.id"


def watch_pace(meter: Meter, pacers: Mapping[str, Pacer]) -> None:
    """Observe the lines in front of the accounts, by the accounts' ids."""

    def observe(name: str, unit: str, description: str, value: Callable[[Pacer], float | None]) -> None:
        def observations(_: CallbackOptions) -> Iterable[Observation]:
            for account_id, pacer in pacers.items():
                # What has no limit has no rate.
                if (observed := value(pacer)) is not None:
                    yield Observation(observed, {ACCOUNT: account_id})

        meter.create_observable_gauge(name, [observations], unit, description)

    observe(
        "identity_service.aws.pace",
        "{call}/s",
        "How many IAM calls a second are sent at most; absent while IAM has refused none.",
        lambda pacer: pacer.per_second,
    )
    observe("identity_service.aws.waiting", "{call}", "IAM calls that stand in line.", lambda pacer: pacer.waiting)
    observe("identity_service.aws.under_way", "{call}", "IAM calls that were sent.", lambda pacer: pacer.under_way)
