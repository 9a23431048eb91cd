"""Starting a cluster: everything that can run beside something else does.

Order: builds, images, keeper and supervisor, control plane; then node, images and add-ons in parallel.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from e2e.cluster import addons as registry
from e2e.cluster import control_plane, distribution, identity, images, keeper, node, unpacked
from e2e.cluster.addons.base import Addon
from e2e.cluster.builder import Build, build, build_all
from e2e.cluster.catalog import KUBERNETES
from e2e.cluster.errors import ClusterError, NotPossibleError
from e2e.cluster.etcd import Etcd
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation, Present
from e2e.cluster.kept_crds import KeptCrds
from e2e.cluster.local import LocalCluster, sweep
from e2e.cluster.oci import Image
from e2e.cluster.places import ClusterPlaces, locked, spread_clusters
from e2e.cluster.progress import Steps
from e2e.cluster.running import is_running
from e2e.cluster.settings import Settings
from workspace_ctrl.cli.shell.event_loop import interrupts_put_off

DEFAULT_NAME = "default"


def up(
    name: str = DEFAULT_NAME,
    form: Form | str = Form.FULL,
    addons: Iterable[str] = (registry.ALL,),
    *,
    install_packages: bool = False,
) -> LocalCluster:
    """Start a cluster, or add the missing add-ons to one that runs."""
    form = Form(form)
    chosen = registry.choose(addons, form)
    prepare(form, chosen, install_packages=install_packages)
    with locked(f"cluster-{name}", busy=f"cluster {name}: another process starts or ends it, waiting"):
        if is_running(name):
            return _add_missing(LocalCluster.attach(name), form, chosen)
        sweep(name)
        return _start(Settings.choose(name, form), chosen)


def down(name: str = DEFAULT_NAME) -> bool:
    """End a cluster and remove everything of it; say whether there was one."""
    with locked(f"cluster-{name}", busy=f"cluster {name}: another process starts or ends it, waiting"):
        there = ClusterPlaces(name).root.exists()
        if is_running(name):
            LocalCluster.attach(name).end()
        else:
            sweep(name)
        return there


def prepare(form: Form, chosen: Iterable[Addon], *, install_packages: bool) -> None:
    """Bring about all that a start needs: rights, packages, programs, images."""
    chosen = list(chosen)
    if form is Form.FULL and os.geteuid() != 0:
        raise NotPossibleError("the full form needs root; without, there is: --form plane")
    packages = [*distribution.EVERYWHERE, *(distribution.FULL if form is Form.FULL else ())]
    packages += [package for addon in chosen for program in addon.programs for package in distribution.BY_PROGRAM[program]]
    distribution.ensure(packages, install=install_packages)
    build_all([KUBERNETES, *(folder for addon in chosen for folder in addon.folders)])
    if form is Form.FULL:
        for image in (make() for addon in chosen for make in addon.images):
            images.layout(image)
        unpacked.unpacked(_lasting_images(chosen))


def _lasting_images(chosen: Iterable[Addon]) -> list[Image]:
    """Return the images that are the same at many starts."""
    makes = (make for addon in chosen for make in (addon.images if addon.lasting is None else addon.lasting))
    return [images.pause(), *(make() for make in makes)]


def _start(settings: Settings, chosen: list[Addon]) -> LocalCluster:
    places = ClusterPlaces(settings.name)
    steps = Steps()
    with _lifeline(places, settings, steps) as cluster:
        kubernetes = build(KUBERNETES)
        image_names = _start_containerd(cluster, chosen, steps) if settings.form is Form.FULL else frozenset()
        crds = KeptCrds.of(kubernetes, (build(folder).asset(name) for addon in chosen for folder, name in addon.crds))
        present = Present(_start_control_plane(cluster, kubernetes, crds, steps), image_names)
        work = Installation.on(cluster, steps, present)
        if work.full:
            work.wait("containerd", lambda: node.containerd_serves(cluster.supervisor.pid))
        with steps.step("API server"):
            work.wait("the API server", work.api.ready)
        if work.full:
            for program in node.programs(settings, places, kubernetes):
                cluster.control.start(program)
        _install(work, chosen)
        _keep(cluster, crds)
        work.cluster.control.check()
    print(f"cluster {settings.name} is up: {steps.summary()}", flush=True)
    return cluster


def _start_containerd(cluster: LocalCluster, chosen: list[Addon], steps: Steps) -> frozenset[str]:
    """Start containerd with the images that last, and return their names."""
    lasting = _lasting_images(chosen)
    with steps.step("images"):
        unpacked.link(unpacked.unpacked(lasting), node.containerd_root(cluster.places))
    cluster.control.start(node.containerd(cluster.settings, cluster.places))
    return frozenset(image.name for image in lasting)


def _start_control_plane(cluster: LocalCluster, kubernetes: Build, crds: KeptCrds, steps: Steps) -> frozenset[str]:
    """Start etcd, then all others on the CRDs that are kept, and return the names of these."""
    cluster.control.start(control_plane.etcd(cluster.settings, cluster.places, kubernetes))
    restored: frozenset[str] = frozenset()
    if crds.names:
        with Etcd(cluster) as etcd, steps.step("etcd"):
            Installation.on(cluster, steps).wait("etcd", etcd.serves)
            restored = crds.restore(etcd)
    for program in control_plane.programs(cluster.settings, cluster.places, kubernetes):
        cluster.control.start(program)
    return restored


def _keep(cluster: LocalCluster, crds: KeptCrds) -> None:
    """Keep the CRDs for later starts, unless they are kept already."""
    if crds.names and not crds.path.exists():
        with Etcd(cluster) as etcd:
            crds.keep(etcd)


@contextmanager
def _lifeline(places: ClusterPlaces, settings: Settings, steps: Steps) -> Iterator[LocalCluster]:
    """Hold a new cluster's life until the start has succeeded; whatever ends this process before ends the cluster."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        try:
            with steps.step("supervisor"), interrupts_put_off():  # until it is known which processes would have to be ended
                _prepare_folder(places, settings)
                try:
                    keeper.launch(places, reading)
                finally:
                    os.close(reading)
                cluster = LocalCluster.attach(places.name)
            yield cluster
        except BaseException:
            if is_running(settings.name):
                LocalCluster.attach(settings.name).end()
            sweep(settings.name)
            raise
        pipe.write(keeper.CONFIRMED)


def _prepare_folder(places: ClusterPlaces, settings: Settings) -> None:
    spread_clusters()
    for folder in (places.root, places.logs, places.config, places.data):
        folder.mkdir(parents=True)
    settings.save(places)
    identity.create(places)


def _add_missing(cluster: LocalCluster, form: Form, chosen: list[Addon]) -> LocalCluster:
    if cluster.form is not form:
        raise ClusterError(f"cluster {cluster.name} runs in the form {cluster.form}; take it down first")
    cluster.control.check()
    missing = [addon for addon in chosen if addon.name not in cluster.addons]
    if not missing:
        print(f"cluster {cluster.name} is up already, with all that was asked for", flush=True)
        return cluster
    steps = Steps()
    _install(Installation.on(cluster, steps), missing)
    print(f"added {', '.join(addon.name for addon in missing)}: {steps.summary()}", flush=True)
    return cluster


def _install(work: Installation, chosen: list[Addon]) -> None:
    """Install add-ons in parallel, each after its images and the add-ons that it needs, and wait for the node."""
    made = list(dict.fromkeys(make for addon in chosen for make in addon.images)) if work.full else []
    done: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(max_workers=len(chosen) + len(made) + 1) as pool:
        imports = {make: pool.submit(work.import_image, make()) for make in made}
        for addon in chosen:
            first = [done[need] for need in addon.needs if need in done]
            first += [imports[make] for make in addon.images if make in imports]
            done[addon.name] = pool.submit(_install_one, work, addon, first)
        try:
            node_ready = [pool.submit(_wait_node, work)] if work.full else []
            for future in as_completed([*done.values(), *node_ready]):
                future.result()
        except BaseException:
            work.given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for addon in chosen:
        work.cluster.add_addon(addon.name)


def _wait_node(work: Installation) -> None:
    with work.steps.step("node Ready"):
        work.wait_node()


def _install_one(work: Installation, addon: Addon, first: list[Future[None]]) -> None:
    for future in first:
        future.result()
    with work.steps.step(f"add-on {addon.name}"):
        addon.install(work)
