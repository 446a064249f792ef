export { startSimulatedAws, type SimulatedAws, type SimulatedAwsOptions } from './aws/simulation.ts'
