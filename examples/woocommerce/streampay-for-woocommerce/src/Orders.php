<?php
/**
 * The one door through which the gateway's words change an order.
 *
 * Webhooks come twice, late and in any order, beside the customer's return and timed checks. Each of them is applied
 * under the order's lock, to the order as the database has it at that moment. What was processed is remembered after it
 * took effect: a process that dies in between is told again, and finds what is done already done.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use Automattic\WooCommerce\Caches\OrderCache;
use WC_Order;

/** Applies readings to orders. */
final class Orders {

	private const MAX_EVENTS = 60; // A payment has some ten; older ones are caught by its version.
	private const MAX_NOTED  = 60;

	private const MAX_PAYMENTS = 20; // Twice as many tries as an order keeps.

	/** Work by the merchant's settings. */
	public function __construct( private Settings $settings ) {}

	/**
	 * Read an order from the database, past every cache of this process and of others.
	 *
	 * @param int $order_id The order.
	 */
	public static function fresh( int $order_id ): ?WC_Order {
		clean_post_cache( $order_id );
		if ( class_exists( OrderCache::class ) ) {
			wc_get_container()->get( OrderCache::class )->remove( $order_id );
		}
		$order = wc_get_order( $order_id );
		if ( ! $order instanceof WC_Order ) {
			return null;
		}
		$order->read_meta_data( true );
		return $order;
	}

	/**
	 * Let a reading of a payment change its order.
	 *
	 * @param int                        $order_id The order.
	 * @param array<string, mixed>       $payment  The reading.
	 * @param list<array<string, mixed>> $refunds  What went back of it, read no earlier.
	 * @param string                     $event_id The event that told it; empty when we asked.
	 * @return string What was done: a word of Decision, `duplicate` or `other_mode`.
	 * @throws Busy_Error          Somebody else works on the order.
	 * @throws Unknown_Order_Error The order is not here.
	 * @throws Not_Stored_Error    WooCommerce did not keep it.
	 */
	public function apply( int $order_id, array $payment, array $refunds, string $event_id = '' ): string {
		return Order_Lock::hold( $order_id, fn(): string => $this->apply_locked( $order_id, $payment, $refunds, $event_id ) );
	}

	private function apply_locked( int $order_id, array $payment, array $refunds, string $event_id ): string {
		$order = self::fresh( $order_id );
		if ( null === $order || $order->get_meta( Order_State::REFERENCE ) !== $payment['reference'] ) {
			throw new Unknown_Order_Error( $payment['reference'] );
		}
		$state = new Order_State( $order );
		if ( '' !== $event_id && in_array( $event_id, $state->all( Order_State::EVENTS ), true ) ) {
			return 'duplicate';
		}
		if ( $state->text( Order_State::MODE ) !== ( $payment['livemode'] ? 'live' : 'test' ) ) {
			Log::warning( 'other_mode', array( 'order' => $order_id, 'payment' => $payment['id'] ) ); // Test money pays nothing.
			return 'other_mode';
		}
		$decision = Reducer::decide( $state, $payment, $this->settings );
		if ( Decision::STALE === $decision->action ) {
			return Decision::STALE;
		}
		$this->carry_out( $state, $decision, $payment );
		Refunds::mirror( $state, $payment, $refunds );
		$this->conclude( $state, $decision, $payment, $event_id );
		Log::debug( 'applied', array( 'order' => $order_id, 'payment' => $payment['id'], 'status' => $payment['status'], 'did' => $decision->action ) );
		return $decision->action;
	}

	private function carry_out( Order_State $state, Decision $decision, array $payment ): void {
		match ( $decision->action ) {
			Decision::PAY     => $this->pay( $state, $decision, $payment ),
			Decision::HOLD    => $this->wait( $state, $decision, $payment ),
			Decision::RELEASE => $this->let_go( $state, $decision ),
			Decision::CLOSE   => $this->let_go( $state, $decision ),
			Decision::REVIEW  => $this->review( $state, $decision, $payment ),
			default           => null,
		};
	}

	/** Complete the order, once: WooCommerce sends its mails and takes its stock from here. */
	private function pay( Order_State $state, Decision $decision, array $payment ): void {
		$order   = $state->order();
		$payable = apply_filters( 'woocommerce_valid_order_statuses_for_payment_complete', array( 'on-hold', 'pending', 'failed', 'cancelled' ), $order );
		if ( ! $order->has_status( $payable ) ) {
			/* translators: 1: payment id 2: order status */
			$decision->notes[ 'unpayable:' . $payment['id'] ] = sprintf( __( 'Payment %1$s is paid, but an order that is %2$s takes no payment. Look at it.', 'streampay-for-woocommerce' ), $payment['id'], $state->status() );
			return;
		}
		$state->keep( Order_State::PAID_BY, $payment['id'] );
		$state->keep( Order_State::HELD_BY, '' );
		$state->keep( Order_State::REVIEW, '' );
		$order->payment_complete( $payment['id'] );
		$stored = self::fresh( $order->get_id() );
		if ( null === $stored || ! ( new Order_State( $stored ) )->is_paid() ) {
			throw new Not_Stored_Error( 'payment_complete' );
		}
		$order->add_order_note( $decision->note );
	}

	private function wait( Order_State $state, Decision $decision, array $payment ): void {
		$id = $payment['id'];
		if ( $state->status() === $decision->status ) {
			$decision->notes[ "wait:$id:" . $payment['status'] ] = $decision->note;
			if ( '' === $state->text( Order_State::HELD_BY ) ) {
				return; // Somebody else has put it there, and shall take it away again.
			}
		}
		$state->keep( Order_State::HELD_BY, $id );
		$this->move( $state, $decision );
	}

	private function let_go( Order_State $state, Decision $decision ): void {
		$state->keep( Order_State::HELD_BY, '' );
		$this->move( $state, $decision );
	}

	private function review( Order_State $state, Decision $decision, array $payment ): void {
		$state->keep( Order_State::REVIEW, 'amount_mismatch' );
		$this->move( $state, $decision );
		do_action( 'streampay_order_review', $state->order(), 'amount_mismatch', $payment );
	}

	private function move( Order_State $state, Decision $decision ): void {
		if ( $state->status() !== $decision->status && ! $state->order()->update_status( $decision->status, $decision->note ) ) {
			throw new Not_Stored_Error( 'update_status' );
		}
	}

	/** Say what is to be said, once, and remember what was processed. */
	private function conclude( Order_State $state, Decision $decision, array $payment, string $event_id ): void {
		$order = $state->order();
		foreach ( $decision->notes as $key => $note ) {
			if ( ! in_array( $key, $state->all( Order_State::NOTED ), true ) ) {
				$order->add_order_note( $note );
				$state->remember( Order_State::NOTED, $key, self::MAX_NOTED );
				do_action( 'streampay_order_noted', $order, $key, $payment );
			}
		}
		$versions = $state->all( Order_State::VERSIONS );
		$versions[ $payment['id'] ] = $payment['version'];
		$state->keep( Order_State::VERSIONS, array_slice( $versions, -self::MAX_PAYMENTS, null, true ) );
		if ( '' !== $event_id ) {
			$state->remember( Order_State::EVENTS, $event_id, self::MAX_EVENTS );
		}
		$order->save();
	}
}
