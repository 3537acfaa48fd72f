"""What a function expects of SciPy: each of its compiled parts gives a known result."""

import importlib.metadata
import tempfile
from pathlib import Path

import numpy as np
import scipy
from scipy import fft, integrate, interpolate, io, linalg, ndimage, optimize, signal, sparse, spatial, special, stats
from scipy.cluster import hierarchy, vq
from scipy.sparse import csgraph


def main() -> None:
    assert scipy.__version__ == importlib.metadata.version("scipy")
    dense_matrices()
    sparse_matrices()
    optimisation()
    functions_and_integrals()
    signals_and_images()
    points_and_clusters()
    statistics()
    files()


def dense_matrices() -> None:
    matrix = np.array([[4.0, 1.0], [2.0, 3.0]])
    assert np.allclose(linalg.solve(matrix, [6.0, 8.0]), [1.0, 2.0])
    assert np.allclose(np.sort(linalg.eigvals(matrix).real), [2.0, 5.0])
    assert np.allclose(linalg.expm(np.zeros((2, 2))), np.eye(2))
    factor = linalg.cholesky(matrix @ matrix.T, lower=True)
    assert np.allclose(factor @ factor.T, matrix @ matrix.T)


def sparse_matrices() -> None:
    size = 200
    laplacian = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(size, size), format="csc")
    wanted = np.linspace(0.0, 1.0, size)
    assert np.allclose(sparse.linalg.spsolve(laplacian, laplacian @ wanted), wanted)
    largest = sparse.linalg.eigsh(laplacian, k=1, return_eigenvectors=False)[0]
    assert np.isclose(largest, 2 - 2 * np.cos(np.pi * size / (size + 1)))
    graph = sparse.csr_array([[0.0, 1.0, 5.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    assert csgraph.dijkstra(graph, indices=0).tolist() == [0.0, 1.0, 3.0]


def optimisation() -> None:
    plan = optimize.linprog([-3, -5], A_ub=[[1, 0], [0, 2], [3, 2]], b_ub=[4, 12, 18])
    assert np.isclose(plan.fun, -36.0)
    valley = optimize.minimize(optimize.rosen, [-1.2, 1.0], jac=optimize.rosen_der, method="L-BFGS-B")
    assert np.allclose(valley.x, 1.0, atol=1e-3)
    assert np.isclose(optimize.brentq(lambda x: x**3 - 2, 0, 2), 2 ** (1 / 3))
    whole = optimize.milp([-1.0, -1.0], constraints=([[2.0, 2.0]], 0.0, 3.0), integrality=[1, 1])
    assert np.isclose(whole.fun, -1.0)
    x = np.linspace(0.0, 4.0, 50)
    fitted, _ = optimize.curve_fit(lambda x, a, b: a * np.exp(-b * x), x, 2.5 * np.exp(-1.3 * x))
    assert np.allclose(fitted, [2.5, 1.3])


def functions_and_integrals() -> None:
    assert np.isclose(special.gamma(5.0), 24.0)
    assert np.isclose(special.jv(0, 2.404825557695773), 0.0)
    assert np.isclose(special.erf(0.5), 0.5204998778130465)
    assert np.isclose(integrate.quad(lambda x: np.exp(-(x**2)), -np.inf, np.inf)[0], np.sqrt(np.pi))
    decay = integrate.solve_ivp(lambda _, y: -y, (0.0, 1.0), [1.0], method="LSODA", rtol=1e-8, atol=1e-10)
    assert np.isclose(decay.y[0, -1], np.exp(-1.0), rtol=1e-6)
    x = np.linspace(0.0, np.pi, 20)
    assert np.isclose(interpolate.CubicSpline(x, np.sin(x))(1.0), np.sin(1.0), atol=1e-4)
    assert np.isclose(interpolate.make_interp_spline(x, np.cos(x))(1.0), np.cos(1.0), atol=1e-4)
    assert np.isclose(interpolate.griddata([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 2], [[0.25, 0.5]])[0], 0.75)


def signals_and_images() -> None:
    time = np.arange(500) / 500
    wave = np.sin(2 * np.pi * 5 * time)
    assert int(np.abs(fft.rfft(wave)).argmax()) == 5
    assert np.allclose(fft.idct(fft.dct(wave)), wave)
    noisy = wave + np.sin(2 * np.pi * 120 * time)
    clean = signal.sosfiltfilt(signal.butter(4, 20, fs=500, output="sos"), noisy)
    assert np.abs(clean - wave)[50:-50].max() < 0.05
    assert len(signal.find_peaks(wave)[0]) == 5
    picture = np.zeros((9, 9))
    picture[1:3, 1:3] = picture[6:8, 5:8] = 1
    assert ndimage.label(picture)[1] == 2
    assert np.isclose(ndimage.gaussian_filter(picture, 0.5, mode="wrap").sum(), picture.sum())


def points_and_clusters() -> None:
    points = np.random.default_rng(3).random((300, 3))
    distance, index = spatial.KDTree(points).query([0.5, 0.5, 0.5])
    distances = np.linalg.norm(points - 0.5, axis=1)
    assert int(index) == int(distances.argmin())
    assert np.isclose(distance, distances.min())
    assert np.isclose(spatial.ConvexHull([[0, 0], [2, 0], [2, 1], [0, 1], [1, 0.5]]).volume, 2.0)
    turned = spatial.transform.Rotation.from_euler("z", 90, degrees=True).apply([1.0, 0.0, 0.0])
    assert np.allclose(turned, [0.0, 1.0, 0.0])
    pairs = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert len(set(hierarchy.fcluster(hierarchy.linkage(pairs), 2, "maxclust"))) == 2
    assert np.allclose(np.sort(vq.kmeans(pairs, pairs[[0, 2]])[0].ravel()), [0.05, 5.05])


def statistics() -> None:
    assert np.isclose(stats.norm.cdf(1.959963984540054), 0.975)
    assert np.isclose(stats.ttest_ind([1, 2, 3, 4], [3, 4, 5, 6]).statistic, -2 / np.sqrt(5 / 6))
    line = stats.linregress([0, 1, 2, 3], [1, 3, 5, 7])
    assert np.allclose([line.slope, line.intercept], [2.0, 1.0])
    sample = stats.gamma.rvs(3.0, size=5_000, random_state=np.random.default_rng(5))
    assert abs(stats.gamma.fit(sample, floc=0)[0] - 3.0) < 0.2
    assert stats.qmc.Sobol(2, scramble=False).random(4).tolist()[1] == [0.5, 0.5]
    width = 3 ** (-1 / 5)
    kernels = stats.norm.pdf([-1.0, 0.0, 1.0], scale=width).mean()
    assert np.isclose(stats.gaussian_kde([-1.0, 0.0, 1.0])(0.0)[0], kernels)


def files() -> None:
    matrix = sparse.csr_array([[1.0, 0.0], [0.0, 2.0]])
    with tempfile.TemporaryDirectory() as folder:
        market, matlab = Path(folder) / "matrix.mtx", Path(folder) / "matrix.mat"
        io.mmwrite(market, matrix)
        assert np.array_equal(io.mmread(market, spmatrix=False).toarray(), matrix.toarray())
        io.savemat(matlab, {"wave": np.arange(3.0)})
        assert io.loadmat(matlab)["wave"].tolist() == [[0.0, 1.0, 2.0]]


main()
